PREFIX ?= /usr/local

.PHONY: build install uninstall test bench

build:
	scripts/minik --version

install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)/etc/systemd/system
	install -m 755 .build/release/minik .build/release/minik-shim .build/release/minik-dns .build/release/minik-unpack .build/release/minik-cni $(DESTDIR)$(PREFIX)/bin
	install -m 644 scripts/minik@.service $(DESTDIR)/etc/systemd/system
	install -d $(DESTDIR)$(PREFIX)/share/minik
	cp -r labs $(DESTDIR)$(PREFIX)/share/minik
	-scripts/busybox $(DESTDIR)/var/lib/minik/programs

uninstall:
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,minik minik-shim minik-dns minik-unpack minik-cni) $(DESTDIR)/etc/systemd/system/minik@.service
	rm -rf $(DESTDIR)$(PREFIX)/share/minik/labs

test:
	scripts/test

bench:
	scripts/bench
