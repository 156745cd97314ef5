"""Reads pprof files for the tests, independently of the C code: types, samples, comments."""

import gzip


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def fields(data):
    """Yields (number, value): an int, or bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
            if len(value) != length:
                raise ValueError("truncated")
        else:
            raise ValueError(f"wire type {key & 7}")
        yield key >> 3, value


def numbers(value):
    """A repeated number, packed or not."""
    if isinstance(value, int):
        return [value]
    out, at = [], 0
    while at < len(value):
        number, at = varint(value, at)
        out.append(number)
    return out


class Profile:
    def __init__(self, path):
        with open(path, "rb") as file:
            data = gzip.decompress(file.read())
        strings, types, comments, samples = [], [], [], []
        for number, value in fields(data):
            if number == 1:
                types.append(dict(fields(value)).get(1, 0))
            elif number == 2:
                samples.append(value)
            elif number == 6:
                strings.append(value.decode())
            elif number == 13:
                comments += numbers(value)
        self.types = [strings[i] for i in types]
        self.comments = [strings[i] for i in comments]
        self.samples = [self.sample(s, strings) for s in samples]

    @staticmethod
    def sample(data, strings):
        values, labels = [], {}
        for number, value in fields(data):
            if number == 2:
                values += numbers(value)
            elif number == 3:
                label = dict(fields(value))
                labels[strings[label[1]]] = strings[label[2]] if 2 in label else label.get(3, 0)
        return values, labels

    def total(self, type_name, **labels):
        index = self.types.index(type_name)
        return sum(values[index] for values, found in self.samples
                   if all(found.get(k) == v for k, v in labels.items()))
