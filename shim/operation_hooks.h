// What the relay does in a checkpoint and in a restore alike: it knows the call that it works for, and puts into words
// why the operation failed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "criu-rpc/relay.h"
#include "shim/run_directory.h"
#include "shim/step.h"

namespace hrunc::shim {

class OperationHooks : public criu_rpc::Hooks {
  public:
    // Both have to outlive it.
    OperationHooks(const RunDirectory &run, const Context &context) : run_(run), context_(context) {}

    void version(const criu_rpc::Version &version) override;
    Result<void> before_dump(criu_rpc::Options &) override { return {}; }
    Result<void> before_restore(criu_rpc::Options &, const std::function<bool()> &) override { return {}; }
    void after_dump(const criu_rpc::Response &) override {}
    void after_restore(const criu_rpc::Response &) override {}
    void ended_without_answer() override {}
    void notification(const criu_rpc::Notification &) override {}

  protected:
    // Notes where criu will work and log, and sets what the configuration says of TCP connections. An error if criu is
    // too old.
    Result<void> begin(criu_rpc::Options &options);
    // Has criu use this directory, which has to stay open, in place of the engine's image directory.
    Result<void> use_images(criu_rpc::Options &options, const Fd &directory);
    // Reports an error of hrunc's own and gives it back.
    Error refused(Error error) const;
    void report_failure(const criu_rpc::Response &response) const;
    void report_end_without_answer() const;

    // criu is at work from here on, until its answer or its end.
    void criu_begins() { criu_.emplace("criu's " + std::string(context_.verb == "checkpoint" ? "dump" : "restore")); }
    void criu_ends() { criu_.reset(); }

    const std::string &images() const { return images_; } // absolute
    const RunDirectory &run() const { return run_; }
    const Context &context() const { return context_; }

  private:
    void report_with_log(const std::string &reason) const;
    std::string work_directory() const;
    std::string criu_log() const;

    const RunDirectory &run_;
    const Context &context_;
    std::string images_, work_; // directories
    std::string log_file_, configuration_;
    std::optional<Step> criu_;
};

// CRIU as its version message says, e.g. "3.17.1"; see Version::sublevel.
std::string to_text(const criu_rpc::Version &version);
// Whether `version`, as to_text() gives it, is one that hrunc works with; true for what is no version.
bool is_supported_criu(std::string_view version);

} // namespace hrunc::shim
