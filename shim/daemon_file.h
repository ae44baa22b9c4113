// Docker's daemon.json on disk: read, replaced as one step, and kept as it was beside it (FILE.before-hrunc).
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace hrunc::shim {

class DaemonFile {
  public:
    // Reads `path`; a missing file is an empty text. Refused: a symbolic link in its place, anything that is no regular
    // file, a directory in which others than root and the caller can put one. While this lives, another one for the
    // same directory waits in open(). `make_directory` makes a missing directory; without that, it is as if the file
    // were missing, and nothing can be written.
    static Result<DaemonFile> open(const std::string &path, bool make_directory);

    const std::string &path() const { return path_; } // absolute
    const std::string &text() const { return text_; }
    std::string backup_path() const { return path_ + ".before-hrunc"; }
    const std::optional<std::string> &backup() const { return backup_; } // its text

    // Puts `text` into the file, with the mode and owner that the file had; an empty text removes the file. `check`
    // gets the path of a file with the text before that, and its error keeps the file as it is.
    Result<void> replace(std::string_view text, const std::function<Result<void>(const std::string &)> &check) const;
    Result<void> keep_backup() const; // of text()
    Result<void> remove_backup() const;

  private:
    DaemonFile(std::string path, Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
    Result<void> write(const std::string &path, std::string_view text) const;

    std::string path_;
    Fd lock_; // on the directory
    std::string text_;
    std::optional<std::string> backup_;
    mode_t mode_ = 0644;
    uid_t user_ = 0;
    gid_t group_ = 0;
};

} // namespace hrunc::shim
