// The files of conf/ against what the code does.
#include <sstream>

#include "oci/json.h"
#include "shim/config.h"
#include "temporary_directory.h"

namespace hrunc::shim {
namespace {

class Conf : public TemporaryDirectory {};

TEST_F(Conf, the_documented_defaults_are_the_defaults) {
    Result<Config> config = config_from("hrunc.json", read(CONF "/hrunc.json"), {});
    ASSERT_TRUE(config) << config.error().text();
    EXPECT_EQ(*config, Config());
}

TEST_F(Conf, the_documented_defaults_name_every_key) {
    Result<oci::Json> json = oci::read_json(CONF "/hrunc.json", 1 << 16);
    ASSERT_TRUE(json) << json.error().text();
    std::vector<std::string> documented, keys;
    for (const auto &[name, value] : json->items()) documented.push_back(name);
    for (ConfigKey key : config_keys()) keys.emplace_back(key.name);
    EXPECT_EQ(documented, keys);
}

TEST_F(Conf, the_manual_page_describes_every_key_in_order) {
    std::vector<std::string> described, keys;
    std::istringstream page(read(CONF "/man/hrunc.json.5"));
    bool in_keys = false, is_tag = false;
    for (std::string line; std::getline(page, line); is_tag = line == ".TP") {
        if (line.starts_with(".SH")) in_keys = line == ".SH KEYS";
        if (!in_keys || !is_tag || !line.starts_with(".B ")) continue;
        std::string name = line.substr(3);
        for (std::size_t at; (at = name.find('\\')) != std::string::npos;) name.erase(at, 1);
        described.push_back(name);
    }
    for (ConfigKey key : config_keys()) keys.emplace_back(key.name);
    EXPECT_EQ(described, keys);
}

TEST_F(Conf, the_docker_snippet_is_json_that_docker_reads) {
    Result<oci::Json> json = oci::read_json(CONF "/docker-daemon.json", 1 << 16);
    ASSERT_TRUE(json) << json.error().text();
    EXPECT_EQ((*json)["experimental"], true);
    EXPECT_TRUE((*json)["runtimes"]["hrunc"]["path"].is_string());
}

} // namespace
} // namespace hrunc::shim
