"""Batches of nf_tables commands, written byte by byte: what a layout of a table costs the kernel, with no program's own work in between."""
import contextlib, ctypes, os, resource, socket, struct, time

NEWTABLE, DELTABLE, NEWCHAIN, NEWRULE, DELRULE, NEWSET, NEWSETELEM, DELSETELEM = 0, 2, 3, 6, 8, 9, 12, 14
CONSTANT, INTERVAL, MAP, TIMEOUT, EVAL, CONCAT, ANONYMOUS = 2, 4, 8, 0x10, 0x20, 0x80, 1
VERDICT_TYPE = 0xFFFFFF00
ACCEPT, DROP, JUMP, GOTO, RETURN = 1, 0, -3, -4, -5
# nft's numbers of types, and their lengths.
ADDRESS, PROTOCOL, PORT, NUMBER, MARK = (7, 4), (12, 1), (13, 2), (4, 4), (19, 4)
_ELEMENTS = 100


def attribute(kind, data, nested=False):
    return struct.pack("=HH", 4 + len(data), kind | (0x8000 if nested else 0)) + data + bytes(-len(data) % 4)


def nest(kind, *attributes):
    return attribute(kind, b"".join(attributes), True)


def u32(kind, value):
    return attribute(kind, struct.pack(">I", value & 0xFFFFFFFF))


def text(kind, value):
    return attribute(kind, value.encode() + b"\0")


def expression(name, *attributes):
    return nest(1, text(1, name), nest(2, *attributes))


def register(number):
    return 8 + number


def payload(base, offset, length, into):
    return expression("payload", u32(1, register(into)), u32(2, base), u32(3, offset), u32(4, length))


def source(into):
    return payload(1, 12, 4, into)


def destination(into):
    return payload(1, 16, 4, into)


def protocol(into):
    return expression("meta", u32(2, 16), u32(1, register(into)))


def port(into):
    return payload(2, 2, 2, into)


def get_mark(into):
    return expression("meta", u32(2, 3), u32(1, register(into)))


def set_mark(start):
    return expression("meta", u32(2, 3), u32(3, register(start)))


def dice(count, into):
    return expression("numgen", u32(1, register(into)), u32(2, count), u32(3, 1), u32(4, 0))


def lookup(name, start, into=None, set_id=None):
    """`into`: a register, or "verdict"."""
    found = [] if into is None else [u32(3, 0 if into == "verdict" else register(into))]
    return expression("lookup", text(1, name), u32(2, register(start)), *found, *([] if set_id is None else [u32(4, set_id)]))


def immediate(data, into):
    return expression("immediate", u32(1, register(into)), nest(2, attribute(1, data)))


def verdict(code, chain=None):
    return nest(2, u32(1, code), *([text(2, chain)] if chain else []))


def go(code, chain=None):
    return expression("immediate", u32(1, 0), nest(2, verdict(code, chain)))


def destination_nat(address, port):
    return expression("nat", u32(1, 1), u32(2, 2), u32(3, register(address)), u32(5, register(port)))


def counter():
    return expression("counter")


def address(text_):
    return socket.inet_aton(text_)


def key(*parts):
    """Parts of a concatenation fill whole registers."""
    return b"".join(part + bytes(-len(part) % 4) for part in parts) if len(parts) > 1 else parts[0]


class Batch:
    def __init__(self, table, family=2):
        self.table, self.family, self.sequence, self.set_id = table, family, 1, 0
        self.bytes = bytearray(self._control(16))

    def _control(self, kind):
        self.sequence += 1
        return struct.pack("=IHHII", 20, kind, 1, self.sequence, 0) + struct.pack(">BBH", 0, 0, 10)

    def _message(self, kind, flags, *attributes):
        self.sequence += 1
        body = struct.pack(">BBH", self.family, 0, 0) + b"".join(attributes)
        self.last = len(self.bytes)
        self.bytes += struct.pack("=IHHII", 16 + len(body), 10 << 8 | kind, 1 | flags, self.sequence, 0) + body
        return self

    def add_table(self):
        return self._message(NEWTABLE, 0x400, text(1, self.table))

    def delete_table(self):
        return self._message(DELTABLE, 0, text(1, self.table))

    def add_chain(self, name, hook=None, kind="filter"):
        """`hook`: its number and priority."""
        base = [] if hook is None else [nest(4, u32(1, hook[0]), u32(2, hook[1])), u32(5, ACCEPT), text(7, kind)]
        return self._message(NEWCHAIN, 0x400, text(1, self.table), text(3, name), *base)

    def add_rule(self, chain, *expressions):
        return self._message(NEWRULE, 0xC00, text(1, self.table), text(2, chain), nest(4, *expressions))

    def flush_chain(self, chain):
        return self._message(DELRULE, 0, text(1, self.table), text(2, chain))

    def add_set(self, name, types, flags=0, data=None, user_data=b"", timeout=None):
        """`data`: types, or "verdict"; the set's number in this batch."""
        self.set_id += 1
        lengths = [length for _, length in types]
        flags |= (CONCAT if len(types) > 1 else 0) | (MAP if data else 0) | (TIMEOUT | EVAL if timeout else 0)
        length = sum(-(-each // 4) * 4 for each in lengths) if len(types) > 1 else lengths[0]
        attributes = [text(1, self.table), text(2, name), u32(3, flags), u32(4, _packed(types)), u32(5, length), u32(10, self.set_id)]
        if len(types) > 1:
            attributes.append(nest(9, nest(2, *(nest(1, u32(1, each)) for each in lengths))))
        if data == "verdict":
            attributes += [u32(6, VERDICT_TYPE), u32(7, 0)]
        elif data:
            attributes += [u32(6, _packed(data)), u32(7, sum(-(-each // 4) * 4 for _, each in data) if len(data) > 1 else data[0][1])]
        if timeout:
            attributes += [attribute(11, struct.pack(">Q", timeout * 1000))]
            attributes[6:6] = [nest(9, u32(1, 65535), *([nest(2, *(nest(1, u32(1, each)) for each in lengths))] if len(types) > 1 else []))]
        if user_data:
            attributes.append(attribute(13, user_data))
        self._message(NEWSET, 0x400, *attributes)
        return self.set_id

    def add_elements(self, name, elements, kind=NEWSETELEM, set_id=None):
        """`elements`: key, or (key, data or verdict or None[, comment[, last key]])."""
        for start in range(0, len(elements), _ELEMENTS):
            parts = [nest(1, *_element(each)) for each in elements[start:start + _ELEMENTS]]
            own = [] if set_id is None else [u32(4, set_id)]
            self._message(kind, 0x400 if kind == NEWSETELEM else 0, text(1, self.table), text(2, name), nest(3, *parts), *own)
        return self

    def delete_elements(self, name, elements):
        return self.add_elements(name, elements, DELSETELEM)

    def finish(self):
        header = self.bytes
        flags = struct.unpack_from("=H", header, self.last + 6)[0]
        struct.pack_into("=H", header, self.last + 6, flags | 4)
        return bytes(header) + self._control(17)


def _packed(types):
    number = 0
    for kind, _ in types:
        number = number << 6 | kind
    return number


def _element(element):
    if isinstance(element, bytes):
        element = (element, None)
    name, data, comment, last = (element + (None, None, None))[:4]
    yield nest(1, attribute(1, name))
    if last is not None:
        yield nest(10, attribute(1, last))
    if data is not None:
        yield nest(2, data if isinstance(data, bytes) and data[2:4] == b"\x02\x80" else attribute(1, data))
    if comment:
        value = comment.encode()[:126] + b"\0"
        yield attribute(6, bytes([0, len(value)]) + value)


@contextlib.contextmanager
def namespace(path=None):
    """Puts this thread into a network namespace, a new one if none is named, for a while."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(path, os.O_RDONLY) if path else None
    try:
        if (libc.setns(there, 0x40000000) if path else libc.unshare(0x40000000)) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {path or 'a network namespace'}")
        yield
    finally:
        libc.setns(before, 0x40000000)
        os.close(before)
        if there is not None:
            os.close(there)


class Socket:
    """nf_tables of the network namespace that it was opened in."""
    def __init__(self, where=None):
        with namespace(where) if where else contextlib.nullcontext():
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        self.socket.setsockopt(socket.SOL_SOCKET, 32, 512 << 20)  # SO_SNDBUFFORCE
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self.socket.bind((0, 0))

    def apply(self, batch):
        """The seconds of processor time, and of the clock, that the kernel takes for a batch."""
        data = batch.finish()
        own, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        self.socket.sendto(data, (0, 0))
        answer = self.socket.recv(1 << 16)
        took = time.perf_counter() - start
        spent = resource.getrusage(resource.RUSAGE_SELF)
        error = struct.unpack_from("=i", answer, 16)[0]
        if error:
            raise OSError(-error, os.strerror(-error) + f" at message {struct.unpack_from('=I', answer, 28)[0]}")
        return spent.ru_stime - own.ru_stime + spent.ru_utime - own.ru_utime, took
