"""A small reader of profile.proto for the tests, independent of the code under test.

Only what the tests ask: sample types, samples with labels, mappings, comments.
Addresses are named by symbolize(), through `prof symbolize`.
"""
import gzip


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _fields(data):
    """(field number, value) pairs: ints for varints, bytes for the rest."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        if tag & 7 == 0:
            value, at = _varint(data, at)
        elif tag & 7 == 2:
            size, at = _varint(data, at)
            value = data[at:at + size]
            assert len(value) == size, 'truncated field'
            at += size
        else:
            raise ValueError(f'wire type {tag & 7}')
        yield tag >> 3, value


def _signed(value):
    return value - (1 << 64) if value >> 63 else value


def _ints(fields, number):
    """A repeated integer field, packed or not."""
    out = []
    for n, value in fields:
        if n != number:
            continue
        if isinstance(value, int):
            out.append(_signed(value))
        else:
            at = 0
            while at < len(value):
                v, at = _varint(value, at)
                out.append(_signed(v))
    return out


class Sample:
    def __init__(self, values, stack, labels):
        self.values, self.stack, self.labels = values, stack, labels


class Profile:
    def __init__(self, path):
        with open(path, 'rb') as file:
            data = file.read()
        top = list(_fields(gzip.decompress(data)))
        self.path = path
        strings = [v.decode() for n, v in top if n == 6]
        assert strings[0] == ''

        def message(value):
            return list(_fields(value))

        def one(fields, number, default=0):
            found = _ints(fields, number)
            return found[-1] if found else default

        types = [message(v) for n, v in top if n == 1]
        self.types = [strings[one(t, 1)] for t in types]
        self.units = [strings[one(t, 2)] for t in types]
        self.period = one(top, 12)
        self.duration = one(top, 10)
        self.time = one(top, 9)
        self.comments = [strings[i] for i in _ints(top, 13)]
        self.default_type = strings[one(top, 14)]
        self.mappings = []
        for n, v in top:
            if n == 3:
                m = message(v)
                self.mappings.append({
                    'id': one(m, 1), 'start': one(m, 2), 'limit': one(m, 3), 'offset': one(m, 4),
                    'file': strings[one(m, 5)], 'build_id': strings[one(m, 6)]})
        functions = {one(f, 1): strings[one(f, 2)]
                     for f in (message(v) for n, v in top if n == 5)}
        locations = {}
        for n, v in top:
            if n == 4:
                f = message(v)
                lines = [functions[one(message(x), 1)] for k, x in f if k == 4]
                locations[one(f, 1)] = (one(f, 3), one(f, 2), lines)
        self.locations = locations
        self.samples = []
        for n, v in top:
            if n != 2:
                continue
            f = message(v)
            labels = {}
            for k, x in f:
                if k == 3:
                    label = message(x)
                    labels[strings[one(label, 1)]] = (
                        strings[one(label, 2)] if _ints(label, 2) else one(label, 3))
            values = _ints(f, 2)
            assert len(values) == len(self.types)
            self.samples.append(Sample(values, [locations[i] for i in _ints(f, 1)], labels))

    def total(self, sample_type, where=lambda sample: True):
        index = self.types.index(sample_type)
        return sum(s.values[index] for s in self.samples if where(s))

    def functions(self, sample):
        """Names of a symbolized sample's frames, leaf first, inlined ones too."""
        return [name for _, _, lines in sample.stack for name in lines]

    def names(self):
        return {name for s in self.samples for name in self.functions(s)}
