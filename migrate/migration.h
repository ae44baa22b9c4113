// `hrunc migrate`: a running container moves to another host, by Docker's own checkpoint and restore at both ends.
//
//     check both ends ─ create there ─ send memory, layer and volumes ahead, begin the restore there, which waits ─
//                     └─ journal: preparing
//     checkpoint here ─ send what has changed ─ let the restore go on ─ remove here
//     └─ dumping        └─ dumped               └─ starting             └─ started
//
// The journal (journal.h) says how far it is; whatever fails, settle() makes exactly one side run.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace hrunc::migrate {

struct Request {
    std::string container;
    std::string host; // ssh's destination, [USER@]HOST
    unsigned port = 0;
    std::string name;       // on the target; empty: as here
    std::string image_file; // what `docker save` wrote, for the target where it lacks the image; empty: none
    bool keep_source = false;
    bool volumes = false; // their content is sent, too
    bool dry_run = false;
};

struct Report {
    std::string container;             // its name here
    std::string name, id;              // on the target
    std::vector<std::string> problems; // not empty: it was not tried
    std::vector<std::string> notes;
    std::uint64_t ahead_bytes = 0; // sent while the container ran here; compressed
    std::uint64_t sent_bytes = 0;  // sent afterwards
    // Seconds. `down` is from the request for the checkpoint until the restore was done.
    double down = 0, dump = 0, send = 0, restore = 0;
};

// What is being done, and, while something is sent, how many bytes have been (otherwise 0).
using Progress = std::function<void(const std::string &act, std::uint64_t bytes)>;

Result<Report> migrate(const Request &request, const Progress &progress);

// Finishes or undoes what killed migrations have left. A line for each: what became of it. `failed`: of one or more
// nothing could be made.
struct Recovery {
    std::vector<std::string> lines;
    bool failed = false;
};
Result<Recovery> recover();

} // namespace hrunc::migrate
