// Many datagrams with one call into the kernel (recvmmsg(2), sendmmsg(2)), which Swift's Glibc does not show.
#pragma once
#include <stdint.h>
#include <sys/socket.h>

enum { DATAGRAMS_MOST = 64 };

struct datagram {
  uint8_t *bytes;
  uint32_t length;  // received: room before, bytes after
  socklen_t peer_length;
  struct sockaddr_storage peer;
};

// Receives without waiting; returns how many came, or -1.
int datagrams_receive(int fd, struct datagram *datagrams, int count);
// Sends without waiting; returns how many went, or -1 when not even the first did.
int datagrams_send(int fd, struct datagram *datagrams, int count);
