#include "criu-rpc/message.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

namespace hrunc::criu_rpc {
namespace {

TEST(Message, ArrivesAsItWasSent) {
    auto pair = make_socket_pair();
    ASSERT_TRUE(pair.ok());
    std::string bytes("\x08\x01\x00\xff", 4);
    ASSERT_TRUE(send(pair->first, Datagram{bytes, {}}).ok());
    auto datagram = receive(pair->second);
    ASSERT_TRUE(datagram.ok() && datagram->has_value());
    EXPECT_EQ((*datagram)->bytes, bytes);
    EXPECT_TRUE((*datagram)->descriptors.empty());
}

TEST(Message, AsLargeAsTheLimitAllowsArrivesWhole) {
    auto pair = make_socket_pair();
    ASSERT_TRUE(pair.ok());
    std::string bytes(kMaxMessage - 4096, 'x');
    ASSERT_TRUE(send(pair->first, Datagram{bytes, {}}).ok());
    auto datagram = receive(pair->second);
    ASSERT_TRUE(datagram.ok() && datagram->has_value());
    EXPECT_EQ((*datagram)->bytes, bytes);
}

TEST(Message, BringsItsDescriptorsAndTheyAreCloseOnExec) {
    auto pair = make_socket_pair();
    ASSERT_TRUE(pair.ok());
    auto null = open_file("/dev/null", O_RDONLY);
    ASSERT_TRUE(null.ok());
    struct stat sent{}, received{};
    ASSERT_EQ(fstat(null->get(), &sent), 0);
    Datagram datagram{"orphan-pts-master", {}};
    datagram.descriptors.push_back(std::move(*null));
    ASSERT_TRUE(send(pair->first, datagram).ok());
    auto arrived = receive(pair->second);
    ASSERT_TRUE(arrived.ok() && arrived->has_value());
    ASSERT_EQ((*arrived)->descriptors.size(), 1u);
    ASSERT_EQ(fstat((*arrived)->descriptors[0].get(), &received), 0);
    EXPECT_EQ(received.st_rdev, sent.st_rdev);
    EXPECT_EQ(fcntl((*arrived)->descriptors[0].get(), F_GETFD), FD_CLOEXEC);
}

TEST(Message, TheEndOfTheOtherSideIsNoMessage) {
    auto pair = make_socket_pair();
    ASSERT_TRUE(pair.ok());
    pair->first.reset();
    auto datagram = receive(pair->second);
    ASSERT_TRUE(datagram.ok());
    EXPECT_FALSE(datagram->has_value());
    auto sent = send(pair->second, Datagram{"x", {}});
    ASSERT_FALSE(sent.ok());
    EXPECT_EQ(sent.error().text(), "send a CRIU message of 1 bytes: Broken pipe");
}

TEST(Message, WhatIsNoMessageIsRefusedWithItsSize) {
    EXPECT_EQ(parse_request("\xff\xff\xff").error().text(), "request of 3 bytes: not a message of CRIU's protocol");
    EXPECT_EQ(parse_response("\x2a\x7f").error().text(), "response of 2 bytes: not a message of CRIU's protocol");
    EXPECT_EQ(parse_request(std::string(kMaxMessage + 1, 'x')).error().text(),
              "request of 1048577 bytes: the limit is 1048576");
}

TEST(Message, FieldsThatHruncDoesNotKnowSurvive) {
    // type 1, opts { images_dir_fd 7, file_locks true (8), notify_scripts true (12), external "mnt[]" (37) }, field 99.
    std::string bytes("\x08\x01\x12\x0e\x08\x07\x40\x01\x60\x01\xaa\x02\x05mnt[]\x98\x06\x05", 21);
    bytes[3] = '\x0e';
    auto request = parse_request(bytes);
    ASSERT_TRUE(request.ok());
    EXPECT_EQ(request->opts().images_dir_fd(), 7);
    request->mutable_opts()->set_images_dir_fd(9);
    auto again = parse_request(to_bytes(*request));
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->opts().images_dir_fd(), 9);
    EXPECT_NE(to_bytes(*again).find("\xaa\x02\x05mnt[]"), std::string::npos);
    EXPECT_NE(to_bytes(*again).find(std::string("\x40\x01", 2)), std::string::npos);
    EXPECT_TRUE(again->opts().notify_scripts());
    EXPECT_NE(to_bytes(*again).find("\x98\x06\x05"), std::string::npos);
}

} // namespace
} // namespace hrunc::criu_rpc
