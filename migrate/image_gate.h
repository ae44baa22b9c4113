// The image store of the target's container, before there are images: a restore that has begun waits at it.
//
// A shell on the target holds the store as incomplete (oci/image_store.h) for as long as this object lives. When it
// goes, or the connection breaks or falls silent, the restore fails.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "base/result.h"
#include "migrate/host.h"
#include "migrate/program.h"

namespace hrunc::migrate {

class ImageGate {
  public:
    // Makes the store, and `checkpoint`, the directory in which the engine finds a checkpoint that speaks of it.
    static Result<ImageGate> make(const Host &host, const std::string &container_id, const std::string &checkpoint);

    // The same store, after another gate at it has gone without being opened.
    static Result<ImageGate> close_again(const Host &host, const std::string &container_id);

    // Whether a restore waits for the images.
    Result<bool> is_awaited();
    // The images are there: the restore goes on, or the next one does not wait.
    Result<void> open();

  private:
    struct Line {
        explicit Line(Peer peer);
        Peer shell;
        std::jthread alive; // says so to the shell
    };
    explicit ImageGate(Peer shell) : line_(std::make_unique<Line>(std::move(shell))) {}
    static Result<ImageGate> close(const Host &host, const std::string &begin);
    Result<std::string> ask(const std::string &word);

    std::unique_ptr<Line> line_;
    std::string heard_;
};

} // namespace hrunc::migrate
