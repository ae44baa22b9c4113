#include "recode/transform/files.h"

#include "recode/transform/open_flags.h"

namespace hrunc::recode {

namespace {

void set_program(images::RegularFile &file, const TargetProgram &program) {
    file.set_name(program.name);
    if (file.has_size()) file.set_size(program.size);
    if (file.has_mode()) file.set_mode(program.mode);
    file.clear_checksum(); // of the source's file; CRIU then compares size and build id
    file.clear_checksum_config();
    file.clear_checksum_parameter();
    if (file.build_id_size() == 0) return;
    file.clear_build_id();
    const std::string &id = program.build_id.value_or("");
    for (std::size_t at = 0; at < id.size(); at += 4) {
        std::uint32_t word = 0;
        for (std::size_t i = 0; i < 4 && at + i < id.size(); ++i)
            word |= static_cast<std::uint32_t>(static_cast<unsigned char>(id[at + i])) << (8 * i);
        file.add_build_id(word);
    }
}

void recode_flags(images::File &file, arch::Isa from, arch::Isa to) {
    auto recode = [&](auto &part) { part.set_flags(recode_open_flags(part.flags(), from, to)); };
    if (file.has_regular()) recode(*file.mutable_regular());
    if (file.has_inet()) recode(*file.mutable_inet());
    if (file.has_ns()) recode(*file.mutable_ns());
    if (file.has_packet()) recode(*file.mutable_packet());
    if (file.has_netlink()) recode(*file.mutable_netlink());
    if (file.has_eventfd()) recode(*file.mutable_eventfd());
    if (file.has_epoll()) recode(*file.mutable_epoll());
    if (file.has_signalfd()) recode(*file.mutable_signalfd());
    if (file.has_timerfd()) recode(*file.mutable_timerfd());
    if (file.has_inotify()) recode(*file.mutable_inotify());
    if (file.has_fanotify()) {
        images::Fanotify &fanotify = *file.mutable_fanotify();
        recode(fanotify);
        fanotify.set_event_flags(recode_open_flags(fanotify.event_flags(), from, to));
    }
    if (file.has_unix_socket()) recode(*file.mutable_unix_socket());
    if (file.has_pipe()) recode(*file.mutable_pipe());
    if (file.has_tty()) recode(*file.mutable_tty());
    if (file.has_memfd()) recode(*file.mutable_memfd());
    if (file.has_bpf()) recode(*file.mutable_bpf());
    if (file.has_pidfd()) recode(*file.mutable_pidfd());
}

} // namespace

void recode_files(Image &files, const std::map<std::uint32_t, TargetProgram> &programs, arch::Isa from, arch::Isa to) {
    for (images::File *file : files.all<images::File>()) {
        if (from != to) recode_flags(*file, from, to);
        if (auto program = programs.find(file->id()); file->has_regular() && program != programs.end())
            set_program(*file->mutable_regular(), program->second);
    }
}

const images::RegularFile *regular_file(const Image &files, std::uint32_t id) {
    for (std::size_t i = 0; i < files.entries().size(); ++i)
        if (const auto *file = files.get<images::File>(i); file != nullptr && file->id() == id && file->has_regular())
            return &file->regular();
    return nullptr;
}

} // namespace hrunc::recode
