#include "migrate/image_gate.h"

#include <array>
#include <condition_variable>
#include <mutex>

#include "oci/image_store.h"

namespace hrunc::migrate {

namespace {

constexpr std::size_t kMaxLine = 4096; // bytes

// What answers ask(), when `begin` has made the store the current directory.
std::string script(const std::string &begin) {
    std::string incomplete = oci::kIncomplete, awaited = oci::kAwaited;
    // A restore looks at the lock now and then.
    return "umask 077; " + begin + " && rm -f " + awaited + " && exec 9<" + incomplete +
           " && flock -w 10 9 || exit\n"
           "echo ready\n"
           "while read -r word; do\n"
           "    case $word in\n"
           "        look) if [ -e " +
           awaited +
           " ]; then echo awaited; else echo not yet; fi ;;\n"
           "        alive) touch " +
           incomplete +
           " ;;\n"
           "        open) rm " +
           incomplete +
           " && echo open; exit ;;\n"
           "    esac\n"
           "done\n";
}

} // namespace

ImageGate::Line::Line(Peer peer)
    : shell(std::move(peer)), alive([this](const std::stop_token &stop) {
          std::mutex mutex;
          std::unique_lock lock(mutex);
          std::condition_variable_any stopped;
          while (!stopped.wait_for(lock, stop, oci::kAliveEvery, [&] { return stop.stop_requested(); }))
              if (!shell.say("alive\n")) return;
      }) {}

Result<ImageGate> ImageGate::make(const Host &host, const std::string &container_id, const std::string &checkpoint) {
    std::string store = shell_word(oci::image_store(container_id));
    return close(host, "rm -rf " + store + " && mkdir -p " + store + " " + shell_word(checkpoint) + " && : >" +
                           shell_word(checkpoint + "/" + oci::kImageStoreNote) + " && echo " +
                           shell_word(oci::kDescriptorsToCome) + " >" +
                           shell_word(checkpoint + "/" + oci::kDescriptors) + " && cd " + store + " && : >" +
                           oci::kIncomplete);
}

Result<ImageGate> ImageGate::close_again(const Host &host, const std::string &container_id) {
    return close(host, "cd " + shell_word(oci::image_store(container_id)));
}

Result<ImageGate> ImageGate::close(const Host &host, const std::string &begin) {
    HRUNC_ASSIGN(Peer shell, Peer::start(host.command(script(begin))));
    ImageGate gate(std::move(shell));
    HRUNC_ASSIGN_IN(std::string answer, gate.ask(""), host.where());
    if (answer != "ready") return Error(ErrorCode::kPeer, "image store " + host.where() + ": " + answer);
    return gate;
}

Result<bool> ImageGate::is_awaited() {
    HRUNC_ASSIGN(std::string answer, ask("look\n"));
    return answer == "awaited";
}

Result<void> ImageGate::open() {
    HRUNC_ASSIGN(std::string answer, ask("open\n"));
    if (answer != "open") return Error(ErrorCode::kPeer, "image store: " + answer);
    return {};
}

// Gives the next line.
Result<std::string> ImageGate::ask(const std::string &word) {
    if (!word.empty()) HRUNC_TRY_IN(line_->shell.say(word), "image store");
    for (;;) {
        if (std::size_t end = heard_.find('\n'); end != std::string::npos) {
            std::string line = heard_.substr(0, end);
            heard_.erase(0, end + 1);
            return line;
        }
        std::array<char, 256> part{};
        HRUNC_ASSIGN_IN(std::size_t got, line_->shell.hear(part.data(), part.size()), "image store");
        heard_.append(part.data(), got);
        if (got == 0 || heard_.size() > kMaxLine) {
            std::string complaint = line_->shell.complaint();
            return Error(ErrorCode::kPeer,
                         "image store: " + (complaint.empty() ? "no connection any more" : complaint));
        }
    }
}

} // namespace hrunc::migrate
