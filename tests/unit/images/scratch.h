// A directory that goes away with its test, and the real dumps under tests/data.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace hrunc::recode {

inline std::string contents(const std::filesystem::path &path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

class Scratch {
  public:
    Scratch() {
        std::string name = testing::TempDir() + "images_test.XXXXXX";
        if (!mkdtemp(name.data())) abort();
        path_ = name;
        fd_ = *open_file(name, O_RDONLY | O_DIRECTORY);
    }
    ~Scratch() { std::filesystem::remove_all(path_); }
    Scratch(const Scratch &) = delete;
    Scratch &operator=(const Scratch &) = delete;

    const std::filesystem::path &path() const { return path_; }
    const Fd &fd() const { return fd_; }
    void put(const std::string &name, std::string_view bytes) const {
        std::ofstream(path_ / name, std::ios::binary) << bytes;
    }
    void copy_dump(const std::filesystem::path &dump) const {
        std::filesystem::copy(dump, path_, std::filesystem::copy_options::recursive);
    }

  private:
    std::filesystem::path path_;
    Fd fd_;
};

// The directories of real dumps, one for each ISA that there is one of.
inline std::vector<std::filesystem::path> dumps() {
    std::vector<std::filesystem::path> found;
    for (const auto &entry : std::filesystem::directory_iterator(HRUNC_TEST_DATA))
        if (entry.path().filename().string().starts_with("images-")) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
}

inline std::vector<std::string> files_of(const std::filesystem::path &dump) {
    std::vector<std::string> names;
    for (const auto &entry : std::filesystem::directory_iterator(dump)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
}

} // namespace hrunc::recode
