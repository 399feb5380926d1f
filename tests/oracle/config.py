# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The oracle's reader of configurations: the part of the language that has an
effect (interface, default, set, rule). Written from the description of the
language, not from the project's own parser, and simpler: it trusts its input
to be a configuration that `sluice check` accepts, and raises ConfigError
where it does not understand.

Addresses are (family, integer); a prefix is (family, length, integer of its
leading bits).
"""
import ipaddress
import os
import re
from dataclasses import dataclass, field

TOKEN = re.compile(r'[ \t\r]+|#[^\n]*|"([^"\n]*)"|([{},;\n])|([^\s{},;"#]+)')
PROTOS = {"tcp": (None, 6), "udp": (None, 17), "sctp": (None, 132), "icmp": (4, 1),
          "icmp6": (6, 58), "ip": (4, None), "ip6": (6, None)}
BITS = {4: 32, 6: 128}


class ConfigError(Exception):
    pass


class String(str):
    """A quoted word: never a keyword."""


@dataclass
class Addresses:
    """A set of prefixes, asked by address: one hash lookup per length in use."""
    by_length: dict = field(default_factory=dict)  # (family, length) -> {bits}

    def add(self, prefix):
        family, length, bits = prefix
        self.by_length.setdefault((family, length), set()).add(bits)

    def __contains__(self, address):
        family, number = address
        return any(number >> (BITS[family] - length) in found
                   for (of, length), found in self.by_length.items() if of == family)


@dataclass
class Match:
    """`[not] ADDR`."""
    negated: bool
    addresses: Addresses


@dataclass
class Rule:
    name: str
    verdict: str
    device: str = None
    fallback: str = "pass"
    on: str = None
    family: int = None       # from the protocol's word
    protocol: int = None
    ip_only: bool = False
    source: Match = None
    destination: Match = None
    source_ports: list = None  # [(low, high)]
    destination_ports: list = None
    fragment: str = None
    vlan: int = None


@dataclass
class Config:
    interfaces: dict = field(default_factory=dict)  # name -> {option: word}
    default: str = "pass"
    sets: dict = field(default_factory=dict)
    rules: list = field(default_factory=list)
    folder: str = "."


def parse_prefix(text):
    network = ipaddress.ip_network(text, strict=False)
    bits = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
    return network.version, network.prefixlen, bits


def tokens(text):
    """Yields words and the marks { } ; , and newline."""
    at = 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            raise ConfigError("cannot read %r" % text[at:at + 20])
        at = found.end()
        quoted, mark, word = found.groups()
        if quoted is not None:
            yield String(quoted)
        elif mark or word:
            yield mark or word


class Words:
    """The words of one statement, taken from the front."""

    def __init__(self, items):
        self.items = items

    def peek(self):
        return self.items[0] if self.items else None

    def next(self):
        if not self.items:
            raise ConfigError("a statement ends too early")
        return self.items.pop(0)

    def accept(self, *words):
        """Takes and returns the next word if it is a keyword of `words`."""
        if self.items and not isinstance(self.items[0], String) and self.items[0] in words:
            return self.items.pop(0)
        return None

    def block(self):
        """The items of `{ ... }`, each a list of words; newline, `,` and `;` end one."""
        if not self.accept("{"):
            raise ConfigError("expected { before %r" % self.peek())
        items, item = [], []
        while True:
            mark = self.accept("}", ",", ";", "\n")
            if mark is None:
                item.append(self.next())
                continue
            if item:
                items.append(item)
            item = []
            if mark == "}":
                return items


def statements(text):
    """Yields the Words of each statement: a newline outside braces ends one."""
    depth, current = 0, []
    for token in list(tokens(text)) + ["\n"]:
        if not isinstance(token, String):
            depth += (token == "{") - (token == "}")
        if token == "\n" and depth == 0 and not isinstance(token, String):
            if current:
                yield Words(current)
            current = []
        else:
            current.append(token)


def parse_ports(words):
    """PORTS as [(low, high)]; None for `any`."""
    if words.accept("any"):
        return None
    items = words.block() if words.peek() == "{" else [[words.next()]]
    ranges = []
    for (item,) in items:
        low, dash, high = item.partition("-")
        ranges.append((int(low), int(high if dash else low)))
    return ranges


def parse_address(words, config):
    """ADDR as a Match; None for `any`."""
    negated = bool(words.accept("not"))
    if words.accept("any"):
        return None
    if not isinstance(words.peek(), String) and words.peek().startswith("@"):
        return Match(negated, config.sets[words.next()[1:]])
    items = words.block() if words.peek() == "{" else [[words.next()]]
    addresses = Addresses()
    for (item,) in items:
        addresses.add(parse_prefix(item))
    return Match(negated, addresses)


def parse_verdict(words, rule):
    rule.verdict = words.accept("pass", "drop", "bounce", "redirect", "forward")
    if rule.verdict == "redirect":
        if words.accept("fib"):
            raise ConfigError("redirect fib is not in the oracle")
        rule.device = str(words.next())
    elif rule.verdict == "forward" and words.accept("fallback"):
        rule.fallback = words.accept("pass", "drop")
    if rule.verdict is None or rule.fallback is None:
        raise ConfigError("rule %s: verdict before %r" % (rule.name, words.peek()))


def parse_rule(words, config):
    rule = Rule(str(words.next()), None)
    parse_verdict(words, rule)
    if words.accept("on"):
        rule.on = str(words.next())
    proto = words.accept("proto", *PROTOS)
    if proto == "proto":
        rule.protocol = int(words.next())
    elif proto:
        rule.family, rule.protocol = PROTOS[proto]
    if words.accept("from"):
        rule.source = parse_address(words, config)
        if words.accept("port"):
            rule.source_ports = parse_ports(words)
    if words.accept("to"):
        rule.destination = parse_address(words, config)
        if words.accept("port"):
            rule.destination_ports = parse_ports(words)
    while words.peek() is not None:
        option = words.accept("fragment", "vlan")
        if option == "fragment":
            rule.fragment = str(words.next())
        elif option == "vlan":
            rule.vlan = int(words.next())
        else:
            raise ConfigError("rule %s: option %r is not in the oracle" % (
                rule.name, words.peek()))
    rule.ip_only = bool(proto or rule.source or rule.destination or rule.source_ports
                        or rule.destination_ports or rule.fragment)
    config.rules.append(rule)


def parse_set(words, config):
    addresses = config.sets[str(words.next())] = Addresses()
    if words.accept("max"):
        words.next()
    for item in words.block():
        if item[0] == "file" and not isinstance(item[0], String):
            with open(os.path.join(config.folder, item[1])) as lines:
                for line in lines:
                    line = line.partition("#")[0].strip()
                    if line:
                        addresses.add(parse_prefix(line))
        else:
            addresses.add(parse_prefix(item[0]))


def parse_interface(words, config):
    names = [str(words.next())]
    while words.accept(","):
        words.accept("\n")
        names.append(str(words.next()))
    options = {}
    if words.peek() == "{":
        options = {item[0]: item[1] for item in words.block()}
    for name in names:
        config.interfaces[name] = options


def parse(text, folder="."):
    """A Config; set files with a relative path are found in `folder`."""
    config = Config(folder=folder)
    for words in statements(text):
        keyword = words.accept("interface", "default", "set", "rule", "forwarder")
        if keyword == "interface":
            parse_interface(words, config)
        elif keyword == "default":
            config.default = str(words.next())
        elif keyword == "set":
            parse_set(words, config)
        elif keyword == "rule":
            parse_rule(words, config)
        elif keyword == "forwarder":
            words.block()  # changes no verdict of the filter
        else:
            raise ConfigError("statement %r is not in the oracle" % words.peek())
        if words.peek() is not None:
            raise ConfigError("%s: unexpected %r" % (keyword, words.peek()))
    return config


def read(path):
    with open(path) as source:
        return parse(source.read(), os.path.dirname(os.path.abspath(path)))
