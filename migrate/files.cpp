#include "migrate/files.h"

#include "migrate/tree_state.h"

namespace hrunc::migrate {

Result<Files> Files::between(const Container &source, const std::string &source_root, const Container &target,
                             const std::string &target_root, bool volumes) {
    Files files;
    HRUNC_ASSIGN_IN(std::string here, layer_directory(source, source_root), "here");
    HRUNC_ASSIGN_IN(std::string there, layer_directory(target, target_root), "there");
    files.parcels_ = {{here, there, Into::kEmptied}};
    if (!volumes) return files;
    for (const Volume &volume : source.volumes) {
        const Volume *place = nullptr;
        for (const Volume &one : target.volumes)
            if (one.destination == volume.destination) place = &one;
        if (place == nullptr || !place->source.starts_with(target_root + "/volumes/"))
            return Error(ErrorCode::kInvalid,
                         "volume at " + oci::in_quotes(volume.destination) + ": not there where Docker keeps volumes");
        files.parcels_.push_back({volume.source, place->source, Into::kEmptied});
    }
    return files;
}

Result<std::uint64_t> Files::send_ahead(const Host &host, const Counter &counter) {
    states_.clear();
    for (const Parcel &parcel : parcels_) {
        sync_tree(parcel.from);
        states_.push_back(state_of_tree(parcel.from));
    }
    return send_directories(parcels_, Origin::kInUse, host, counter);
}

bool Files::layer_is_sent() const {
    return !states_.empty() && states_.front() && state_of_tree(parcels_.front().from) == states_.front();
}

std::vector<Parcel> Files::changed() const {
    std::vector<Parcel> changed;
    for (std::size_t at = 0; at < parcels_.size(); ++at)
        if (at >= states_.size() || !states_[at] || state_of_tree(parcels_[at].from) != states_[at])
            changed.push_back(parcels_[at]);
    return changed;
}

} // namespace hrunc::migrate
