enum DNSRoom {}
