#include "migrate/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <optional>

namespace hrunc::migrate {

namespace {

constexpr std::size_t kMaxComplaint = 4096; // bytes
constexpr int kLookUpEvery = 200;           // milliseconds between looks for an interrupt

volatile sig_atomic_t interrupt_seen = 0;
std::atomic<int> disregarded = 0; // scopes in which an interrupt does not count

void note_interrupt(int) {
    interrupt_seen = 1;
}

Error interrupt_error() {
    return {ErrorCode::kRefused, "interrupted"};
}

struct Pipe {
    Fd read, write;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return Error::system("make a pipe");
    return Pipe{Fd(ends[0]), Fd(ends[1])};
}

// Of the child: -1 is /dev/null.
struct Streams {
    int in = -1, out = -1, err = -1;
};

Result<pid_t> spawn(const Argv &argv, const Streams &streams) {
    std::vector<char *> words;
    for (const std::string &word : argv) words.push_back(const_cast<char *>(word.c_str()));
    words.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    std::array<int, 3> given{streams.in, streams.out, streams.err};
    for (int number = 0; number < 3; ++number) {
        int from = given.at(static_cast<std::size_t>(number));
        if (from >= 0)
            posix_spawn_file_actions_adddup2(&actions, from, number);
        else
            posix_spawn_file_actions_addopen(&actions, number, "/dev/null", number == 0 ? O_RDONLY : O_WRONLY, 0);
    }
    sigset_t plain;
    sigemptyset(&plain);
    for (int one : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) sigaddset(&plain, one); // ignored or held here
    posix_spawnattr_setsigdefault(&attributes, &plain);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    pid_t pid = 0;
    int number = posix_spawnp(&pid, argv.front().c_str(), &actions, &attributes, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (number != 0) return Error::system("start \"" + argv.front() + "\"", number);
    return pid;
}

int wait_for(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Waits until one of the descriptors has something; -1 in place of one that does not matter any more.
Result<void> wait_for_any(std::array<pollfd, 3> &waits) {
    for (;;) {
        if (interrupted()) return interrupt_error();
        int ready = poll(waits.data(), waits.size(), kLookUpEvery);
        if (ready > 0) return {};
        if (ready < 0 && errno != EINTR) return Error::system("poll");
    }
}

// Appends what is there, up to `limit` in all, and drops the rest. Gives whether there may be more to come.
bool take(const Fd &from, std::string &into, std::size_t limit) {
    std::array<char, 16384> part{};
    ssize_t got = read(from.get(), part.data(), part.size());
    if (got < 0) return errno == EINTR || errno == EAGAIN;
    if (got == 0) return false;
    into.append(part.data(), std::min(limit - std::min(limit, into.size()), static_cast<std::size_t>(got)));
    return true;
}

std::string first_line(const std::string &text) {
    std::size_t start = text.find_first_not_of("\r\n");
    if (start == std::string::npos) return "";
    std::string line = text.substr(start, text.find_first_of("\r\n", start) - start);
    for (char &c : line)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    return line;
}

Error failed(const Argv &argv, int exit_code, const std::string &said) {
    std::string line = first_line(said);
    return {ErrorCode::kPeer, argv.front() + ": " + (line.empty() ? "exit code " + std::to_string(exit_code) : line)};
}

// A child that is killed if it is still there at the end of its scope.
class Running {
  public:
    explicit Running(pid_t pid) : pid_(pid) {}
    ~Running() {
        if (pid_ <= 0) return;
        kill(pid_, SIGKILL);
        wait_for(pid_);
    }
    Running(const Running &) = delete;
    Running &operator=(const Running &) = delete;
    int wait() { return wait_for(std::exchange(pid_, 0)); }

  private:
    pid_t pid_;
};

} // namespace

HeldInterrupts::HeldInterrupts() {
    interrupt_seen = 0;
    struct sigaction noted{};
    noted.sa_handler = note_interrupt;
    for (int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &noted, nullptr);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); // an inherited SIG_IGN would take the children's status away
}

HeldInterrupts::~HeldInterrupts() {
    for (int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) signal(number, SIG_DFL);
}

bool interrupted() {
    return disregarded == 0 && interrupt_seen != 0;
}

DisregardedInterrupts::DisregardedInterrupts() {
    ++disregarded;
}

DisregardedInterrupts::~DisregardedInterrupts() {
    --disregarded;
}

Result<Output> run_program(const Argv &argv, std::size_t limit) {
    HRUNC_ASSIGN(Pipe out, make_pipe());
    HRUNC_ASSIGN(Pipe err, make_pipe());
    HRUNC_ASSIGN(pid_t pid, spawn(argv, {-1, out.write.get(), err.write.get()}));
    Running child(pid);
    out.write.reset();
    err.write.reset();
    Output output;
    while (out.read || err.read) {
        std::array<pollfd, 3> waits{{{out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}, {-1, 0, 0}}};
        HRUNC_TRY(wait_for_any(waits));
        if (waits[0].revents != 0 && !take(out.read, output.out, limit + 1)) out.read.reset();
        if (waits[1].revents != 0 && !take(err.read, output.err, kMaxComplaint)) err.read.reset();
        if (output.out.size() > limit)
            return Error(ErrorCode::kInvalid,
                         argv.front() + ": more than " + std::to_string(limit) + " bytes of output");
    }
    output.exit_code = child.wait();
    return output;
}

Result<std::string> output_of(const Argv &argv, std::size_t limit) {
    HRUNC_ASSIGN(Output output, run_program(argv, limit));
    if (output.exit_code != 0) return failed(argv, output.exit_code, output.err);
    return std::move(output.out);
}

Result<int> run_on_terminal(const Argv &argv) {
    std::vector<char *> words;
    for (const std::string &word : argv) words.push_back(const_cast<char *>(word.c_str()));
    words.push_back(nullptr);
    pid_t pid = 0;
    int number = posix_spawnp(&pid, argv.front().c_str(), nullptr, nullptr, words.data(), environ);
    if (number != 0) return Error::system("start \"" + argv.front() + "\"", number);
    return wait_for(pid);
}

Result<Peer> Peer::start(const Argv &argv) {
    HRUNC_ASSIGN(Pipe in, make_pipe());
    HRUNC_ASSIGN(Pipe out, make_pipe());
    HRUNC_ASSIGN(Pipe err, make_pipe());
    HRUNC_ASSIGN(pid_t pid, spawn(argv, {in.read.get(), out.write.get(), err.write.get()}));
    return Peer(pid, std::move(in.write), std::move(out.read), std::move(err.read));
}

Peer::Peer(Peer &&other) noexcept
    : pid_(std::exchange(other.pid_, 0)), in_(std::move(other.in_)), out_(std::move(other.out_)),
      err_(std::move(other.err_)) {}

Peer &Peer::operator=(Peer &&other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(in_, other.in_);
    std::swap(out_, other.out_);
    std::swap(err_, other.err_);
    return *this;
}

Peer::~Peer() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    wait_for(pid_);
}

Result<void> Peer::say(std::string_view bytes) {
    return write_all(in_, bytes);
}

Result<std::size_t> Peer::hear(char *into, std::size_t size) {
    for (;;) {
        std::array<pollfd, 3> waits{{{out_.get(), POLLIN, 0}, {-1, 0, 0}, {-1, 0, 0}}};
        HRUNC_TRY(wait_for_any(waits));
        ssize_t got = read(out_.get(), into, size);
        if (got >= 0) return static_cast<std::size_t>(got);
        if (errno != EINTR) return Error::system("read");
    }
}

std::string Peer::complaint() const {
    std::array<pollfd, 1> waits{{{err_.get(), POLLIN, 0}}};
    std::string text;
    while (poll(waits.data(), 1, kLookUpEvery) > 0 && take(err_, text, kMaxComplaint)) {
    }
    return first_line(text);
}

namespace {

// The stream between two children, and what they complain of meanwhile.
class Relay {
  public:
    Relay(Fd source, Fd sink, Fd source_err, Fd sink_err)
        : source_(std::move(source)), sink_(std::move(sink)), source_err_(std::move(source_err)),
          sink_err_(std::move(sink_err)) {}

    // Until the source ends, or the sink takes no more, and both have closed stderr.
    Result<void> run(const Counter &counter) {
        while (source_ || source_err_ || sink_err_) {
            std::array<pollfd, 3> waits{
                {{source_.get(), POLLIN, 0}, {source_err_.get(), POLLIN, 0}, {sink_err_.get(), POLLIN, 0}}};
            HRUNC_TRY(wait_for_any(waits));
            if (waits[0].revents != 0 && !pass()) {
                source_.reset();
                sink_.reset();
            }
            if (waits[1].revents != 0 && !take(source_err_, source_said, kMaxComplaint)) source_err_.reset();
            if (waits[2].revents != 0 && !take(sink_err_, sink_said, kMaxComplaint)) sink_err_.reset();
            counter(bytes);
        }
        return {};
    }

    std::uint64_t bytes = 0;
    std::string source_said, sink_said;

  private:
    bool pass() {
        ssize_t got = splice(source_.get(), nullptr, sink_.get(), nullptr, std::size_t{1} << 20, SPLICE_F_MOVE);
        if (got < 0) return errno == EINTR;
        bytes += static_cast<std::uint64_t>(got);
        return got > 0;
    }

    Fd source_, sink_, source_err_, sink_err_;
};

} // namespace

Result<std::uint64_t> run_joined(const Argv &from, const Argv &to, const Counter &counter) {
    HRUNC_ASSIGN(Pipe source, make_pipe());
    HRUNC_ASSIGN(Pipe sink, make_pipe());
    HRUNC_ASSIGN(Pipe source_err, make_pipe());
    HRUNC_ASSIGN(Pipe sink_err, make_pipe());
    HRUNC_ASSIGN(pid_t reader, spawn(to, {sink.read.get(), -1, sink_err.write.get()}));
    Running to_child(reader);
    HRUNC_ASSIGN(pid_t writer, spawn(from, {-1, source.write.get(), source_err.write.get()}));
    Running from_child(writer);
    for (Fd *end : {&sink.read, &source.write, &source_err.write, &sink_err.write}) end->reset();

    Relay relay(std::move(source.read), std::move(sink.write), std::move(source_err.read), std::move(sink_err.read));
    HRUNC_TRY(relay.run(counter));
    int from_code = from_child.wait(), to_code = to_child.wait();
    // Where the sink failed first, the source was only ended by it.
    if (to_code != 0) return failed(to, to_code, relay.sink_said);
    if (from_code != 0) return failed(from, from_code, relay.source_said);
    return relay.bytes;
}

} // namespace hrunc::migrate
