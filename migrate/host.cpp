#include "migrate/host.h"

#include "oci/json.h"

namespace hrunc::migrate {

Host Host::here() {
    return {};
}

Host Host::at(std::string destination, unsigned port, std::string socket) {
    Host host;
    host.destination_ = std::move(destination);
    host.port_ = port;
    host.socket_ = std::move(socket);
    return host;
}

Argv Host::ssh() const {
    // A connection that has died has to end the command that waits for it.
    Argv argv{"ssh", "-o", "ControlPath=" + socket_, "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=6"};
    if (port_ != 0) argv.insert(argv.end(), {"-p", std::to_string(port_)});
    return argv;
}

Result<void> Host::connect() const {
    Argv argv = ssh();
    // ControlPersist ends it a while after a killed hrunc.
    argv.insert(argv.end(), {"-o", "ControlMaster=yes", "-o", "ControlPersist=60", "-o", "ConnectTimeout=20", "-fN",
                             "--", destination_});
    HRUNC_ASSIGN(int code, run_on_terminal(argv));
    if (code != 0) return Error(ErrorCode::kPeer, "ssh " + oci::in_quotes(destination_) + ": no connection");
    return {};
}

void Host::disconnect() const {
    Argv argv = ssh();
    argv.insert(argv.end(), {"-O", "exit", "--", destination_});
    (void)run_program(argv, 4096).ok(); // one that has gone already is as good
}

Argv Host::command(const std::string &script) const {
    if (destination_.empty()) return {"sh", "-c", script};
    Argv argv = ssh();
    argv.insert(argv.end(), {"-o", "ControlMaster=no", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-T", "--",
                             destination_, "exec sh -c " + shell_word(script)});
    return argv;
}

std::string Host::where() const {
    return destination_.empty() ? "here" : "on " + destination_;
}

std::string shell_word(std::string_view text) {
    std::string out = "'";
    for (char c : text) {
        if (c == '\'')
            out += "'\\''";
        else
            out += c;
    }
    return out + "'";
}

} // namespace hrunc::migrate
