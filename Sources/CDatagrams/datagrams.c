#define _GNU_SOURCE
#include "datagrams.h"

#include <string.h>

static int prepare(struct mmsghdr *messages, struct iovec *parts, struct datagram *datagrams, int count) {
  if (count > DATAGRAMS_MOST) count = DATAGRAMS_MOST;
  memset(messages, 0, sizeof *messages * count);
  for (int i = 0; i < count; i++) {
    parts[i] = (struct iovec){datagrams[i].bytes, datagrams[i].length};
    messages[i].msg_hdr.msg_name = &datagrams[i].peer;
    messages[i].msg_hdr.msg_namelen = datagrams[i].peer_length;
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  return count;
}

int datagrams_receive(int fd, struct datagram *datagrams, int count) {
  struct mmsghdr messages[DATAGRAMS_MOST];
  struct iovec parts[DATAGRAMS_MOST];
  for (int i = 0; i < count && i < DATAGRAMS_MOST; i++) datagrams[i].peer_length = sizeof datagrams[i].peer;
  count = recvmmsg(fd, messages, prepare(messages, parts, datagrams, count), MSG_DONTWAIT, NULL);
  for (int i = 0; i < count; i++) {
    datagrams[i].length = messages[i].msg_len;
    datagrams[i].peer_length = messages[i].msg_hdr.msg_namelen;
  }
  return count;
}

int datagrams_send(int fd, struct datagram *datagrams, int count) {
  struct mmsghdr messages[DATAGRAMS_MOST];
  struct iovec parts[DATAGRAMS_MOST];
  return sendmmsg(fd, messages, prepare(messages, parts, datagrams, count), MSG_DONTWAIT);
}
