#include "migrate/container.h"

#include <gtest/gtest.h>

namespace hrunc::migrate {
namespace {

using oci::Json;

const std::string kId = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string kNetwork = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

// As Docker 26 describes one, without what hrunc has no interest in.
Json described() {
    return Json::parse(R"({
        "Id": ")" + kId +
                       R"(", "Name": "/web",
        "State": {"Status": "running", "Running": true},
        "Config": {"Hostname": "0123456789ab", "Image": "registry:5000/web:1", "Env": ["A=b"], "Cmd": ["/app/web", "-x"],
                   "User": "12:34", "Labels": {"com.example": "1"}, "Unknown": {"kept": true}},
        "HostConfig": {"Runtime": "hrunc", "NetworkMode": "front", "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
                       "PortBindings": {"7000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "7777"}], "53/udp": [{"HostIp": "", "HostPort": ""}]},
                       "Memory": 67108864, "CapAdd": ["NET_ADMIN"], "SecurityOpt": ["no-new-privileges"],
                       "Binds": ["/srv/data:/data:ro"], "ContainerIDFile": "/tmp/id", "AutoRemove": false},
        "NetworkSettings": {"Networks": {
            "front": {"IPAMConfig": {"IPv4Address": "10.9.0.7"}, "Aliases": ["www", "0123456789ab"], "NetworkID": ")" +
                       kNetwork + R"(",
                      "Gateway": "10.9.0.1", "IPAddress": "10.9.0.7", "MacAddress": "02:42:0a:09:00:07"},
            "back": {"IPAMConfig": null, "Aliases": ["0123456789ab"], "NetworkID": "x", "IPAddress": "10.8.0.2"}}},
        "Mounts": [{"Type": "bind", "Source": "/srv/data", "Destination": "/data"},
                   {"Type": "volume", "Name": "files", "Driver": "local", "Source": "/var/lib/docker/volumes/files/_data", "Destination": "/files"},
                   {"Type": "tmpfs", "Source": "", "Destination": "/tmp"}],
        "GraphDriver": {"Name": "overlay2", "Data": {"UpperDir": "/var/lib/docker/overlay2/abc123/diff"}}})");
}

Container container_of(Json json) {
    Result<Container> container = container_from(std::move(json));
    EXPECT_TRUE(container) << container.error().text();
    return container ? *container : Container();
}

std::string refusal(Json json) {
    Result<Container> container = container_from(std::move(json));
    return container ? "accepted" : container.error().text();
}

TEST(Container, what_docker_says_is_read) {
    Container container = container_of(described());
    EXPECT_EQ(container.id, kId);
    EXPECT_EQ(container.name, "web");
    EXPECT_EQ(container.image, "registry:5000/web:1");
    EXPECT_EQ(container.runtime, "hrunc");
    EXPECT_TRUE(container.running);
    EXPECT_EQ(container.networks, (std::vector<std::string>{"front", "back"}));
    ASSERT_EQ(container.ports.size(), 1U); // a port that Docker may choose cannot be taken
    EXPECT_EQ(container.ports[0].address, "127.0.0.1");
    EXPECT_EQ(container.ports[0].number, 7777U);
    EXPECT_EQ(container.ports[0].protocol, "tcp");
    EXPECT_EQ(container.bound_paths, (std::vector<std::string>{"/srv/data"}));
    ASSERT_EQ(container.volumes.size(), 1U);
    EXPECT_EQ(container.volumes[0].name, "files");
    EXPECT_FALSE(is_anonymous(container.volumes[0]));
}

TEST(Container, its_like_has_the_same_configuration_but_for_what_this_host_made_of_it) {
    Json json = described();
    Result<Creation> creation = creation_from(container_of(json));
    ASSERT_TRUE(creation) << creation.error().text();
    Json expected = json["Config"];
    expected["HostConfig"] = json["HostConfig"];
    expected["HostConfig"]["RestartPolicy"] = {{"Name", "no"}};
    expected["HostConfig"].erase("ContainerIDFile");
    expected["NetworkingConfig"]["EndpointsConfig"]["front"] = {{"IPAMConfig", {{"IPv4Address", "10.9.0.7"}}},
                                                                {"Aliases", {"www"}}};
    EXPECT_EQ(nlohmann::json(creation->body), nlohmann::json(expected));
    ASSERT_EQ(creation->further_networks.size(), 1U);
    EXPECT_EQ(creation->further_networks[0].first, "back");
    EXPECT_EQ(creation->further_networks[0].second, Json::object());
}

TEST(Container, a_network_that_was_asked_for_by_its_id_is_named) {
    Json json = described();
    json["HostConfig"]["NetworkMode"] = kNetwork;
    Result<Creation> creation = creation_from(container_of(json));
    ASSERT_TRUE(creation);
    EXPECT_EQ(creation->body["HostConfig"]["NetworkMode"], "front");
}

TEST(Container, on_the_host_network_the_name_of_the_host_stays_behind) {
    Json json = described();
    json["HostConfig"]["NetworkMode"] = "host";
    json["NetworkSettings"]["Networks"] = Json::parse(R"({"host": {"IPAMConfig": {}, "Aliases": null}})");
    Result<Creation> creation = creation_from(container_of(json));
    ASSERT_TRUE(creation);
    EXPECT_FALSE(creation->body.contains("Hostname"));
    EXPECT_FALSE(creation->body.contains("NetworkingConfig"));
}

TEST(Container, namespaces_of_other_containers_are_named) {
    Json json = described();
    json["HostConfig"]["NetworkMode"] = "container:abc";
    json["HostConfig"]["PidMode"] = "container:def";
    EXPECT_EQ(container_of(json).namespaces_of,
              (std::vector<std::string>{"NetworkMode container:abc", "PidMode container:def"}));
}

TEST(Container, names_that_could_lead_elsewhere_are_refused) {
    Json json = described();
    json["Id"] = "../../etc";
    EXPECT_EQ(refusal(json), "container: Id: \"../../etc\"");
    json = described();
    json["Name"] = "/a/../b";
    EXPECT_EQ(refusal(json), "container: Name: \"a/../b\"");
    json = described();
    json["Config"]["Image"] = "x?y=z";
    EXPECT_EQ(refusal(json), "container: Config.Image: \"x?y=z\"");
    json = described();
    json["Mounts"][1]["Source"] = "/var/lib/docker/volumes/../../../etc";
    EXPECT_EQ(refusal(json), "container: Mounts: Source: \"/var/lib/docker/volumes/../../../etc\"");
    json = described();
    json["Mounts"][1]["Name"] = "../x";
    EXPECT_EQ(refusal(json), "container: Mounts: Name: \"../x\"");
    json = described();
    json["HostConfig"]["PortBindings"]["7000/tcp"][0]["HostPort"] = "77777";
    EXPECT_EQ(refusal(json), "container: HostConfig.PortBindings: \"77777\"");
}

TEST(Container, the_writable_layer_is_where_overlay2_keeps_layers_or_nowhere) {
    Container container = container_of(described());
    Result<std::string> layer = layer_directory(container, "/var/lib/docker");
    ASSERT_TRUE(layer) << layer.error().text();
    EXPECT_EQ(*layer, "/var/lib/docker/overlay2/abc123/diff");
    for (const char *path : {"", "/etc", "/var/lib/docker/overlay2/diff", "/var/lib/docker/overlay2//diff",
                             "/var/lib/docker/overlay2/../diff", "/var/lib/docker/overlay2/a/../../b/diff",
                             "/var/lib/docker/overlay2/abc123/merged", "/var/lib/docker/overlay2/abc123/diff/.."}) {
        Json json = described();
        json["GraphDriver"]["Data"]["UpperDir"] = path;
        Result<std::string> refused = layer_directory(container_of(json), "/var/lib/docker");
        ASSERT_FALSE(refused) << path;
        EXPECT_EQ(refused.error().text(), "container: GraphDriver.Data.UpperDir: " + oci::in_quotes(path));
    }
    EXPECT_FALSE(layer_directory(container, "/srv/docker"));
}

TEST(Container, the_checkpoint_is_where_docker_looks_for_it) {
    EXPECT_EQ(checkpoint_directory(container_of(described()), "/var/lib/docker", "cp"),
              "/var/lib/docker/containers/" + kId + "/checkpoints/cp");
}

} // namespace
} // namespace hrunc::migrate
