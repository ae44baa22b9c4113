// A relay between a client of CRIU (runc) and `criu swrk`: it passes every message on, lets hooks step in around a
// dump and a restore, and makes the death of either side known to the other.
//
// Messages that nobody edits are passed on byte for byte. A request with options is edited in any case: the
// descriptors that it names by number are the client's, and criu looks for them in the table of whoever made its
// socket (SO_PEERCRED), which is the relay. So the relay takes copies and writes its own numbers.
#pragma once

#include <functional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "criu-rpc/message.h"

namespace hrunc::criu_rpc {

// What a user of the relay does at each point. A dump or restore that was let through by `before_...` gets exactly
// one of `after_...` and `ended_without_answer`, whatever dies.
class Hooks {
  public:
    virtual ~Hooks() = default;

    // May edit the options; descriptors in them are the relay's own. An error refuses the request: the client gets
    // it as criu's answer, and criu never sees the request.
    virtual Result<void> before_dump(Options &options) = 0;
    // A hook that waits asks `client_is_gone` now and then: then nobody wants the restore any more.
    virtual Result<void> before_restore(Options &options, const std::function<bool()> &client_is_gone) = 0;
    // Before criu's answer goes to the client. The container's tasks run on if it was no success, or if the dump was
    // to leave them running.
    virtual void after_dump(const Response &response) = 0;
    virtual void after_restore(const Response &response) = 0;
    // criu has ended and there will be no answer.
    virtual void ended_without_answer() = 0;
    // criu is at a point of a dump or restore that its client is told of next. The point's name is the script's, as in
    // criu(8), --action-script.
    virtual void notification(const Notification &notification) = 0;
    virtual void version(const Version &version) = 0;
};

struct Ends {
    Fd client;  // the socket that the client gave to criu
    Fd server;  // the other end of the socket that criu was given instead
    Fd process; // pidfd of criu: tells its death while tasks that it forked still hold the socket
};

class Relay {
  public:
    Relay(Ends ends, Hooks &hooks);

    // Until criu has ended. On return both sockets are closed and no hook is under way. An error is one of the relay's
    // own; criu and the client then see their sockets closed.
    Result<void> run();

  private:
    enum class State;

    Result<void> step();
    Result<void> from_client();
    Result<void> from_server();
    Result<void> end_the_server();
    void answer(const Response &response);
    Result<void> refuse(const Request &request, const Error &reason);
    Result<void> edit(Request &request);
    bool client_is_gone() const;
    Result<Fd> take_from_client(int number) const;
    Result<void> take_descriptors(Options &options);
    void finish_operation();

    Ends ends_;
    Hooks &hooks_;
    State state_;
    int operation_ = 0; // the request type that hooks have let through and that has no answer yet; 0: none
    Fd images_, work_, status_, pidfd_store_; // copies of the client's
};

} // namespace hrunc::criu_rpc
