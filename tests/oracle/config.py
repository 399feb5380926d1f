# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The oracle's reader of configurations: the part of the language that has an
effect (interface, default, set, rule). Written from the description of the
language, not from the project's own parser, and simpler: it trusts its input
to be a configuration that `sluice check` accepts, and raises ConfigError
where it does not understand.

Addresses are (family, integer); a prefix is (family, length, integer of its
leading bits). MAC addresses are integers.

Rules stand in the order of judgement: by band, then by position. `expires`
is read and has no effect: what is compared here has not expired.
"""
import ipaddress
import os
import re
from dataclasses import dataclass, field

TOKEN = re.compile(r'[ \t\r]+|#[^\n]*|"([^"\n]*)"|([{},;\n])|([^\s{},;"#]+)')
PROTOS = {"tcp": (None, 6), "udp": (None, 17), "sctp": (None, 132), "icmp": (4, 1),
          "icmp6": (6, 58), "ip": (4, None), "ip6": (6, None)}
BITS = {4: 32, 6: 128}
FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ece": 64, "cwr": 128}
GOES_ON = ("count", "log", "limit")
NUMBERS = ("dscp", "vlan", "inner-vlan", "ethertype")


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
    """`[not] ADDR`, or `[not] @SET` of MAC addresses (then a set of integers)."""
    negated: bool
    addresses: Addresses


@dataclass
class Rule:
    name: str
    verdict: str
    device: str = None
    fallback: str = "pass"
    fib: bool = False  # redirect, forward: where the kernel's tables say
    on: str = None
    family: int = None       # from the protocol's word
    protocol: int = None
    ip_only: bool = False
    source: Match = None
    destination: Match = None
    source_ports: list = None  # [(low, high)]
    destination_ports: list = None
    fragment: str = None
    flags: tuple = None        # (value, mask)
    icmp_type: int = None
    icmp_code: int = None
    length: tuple = None       # (low, high)
    dscp: int = None
    vlan: int = None
    inner_vlan: int = None
    ethertype: int = None
    mac_source: Match = None
    mac_destination: Match = None
    observe: bool = False
    band: int = 0

    def decides(self):
        """False for a rule behind which the next one is asked, match or not."""
        return self.verdict not in GOES_ON and not self.observe


@dataclass
class Config:
    interfaces: dict = field(default_factory=dict)  # name -> {option: word}
    default: str = "pass"
    sets: dict = field(default_factory=dict)   # name -> Addresses, or a set of MACs
    rules: list = field(default_factory=list)
    folder: str = "."


def parse_prefix(text):
    network = ipaddress.ip_network(text, strict=False)
    bits = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
    return network.version, network.prefixlen, bits


def parse_mac(text):
    return int(text.replace(":", ""), 16)


def parse_range(text):
    """(low, high) of `N` or `N-M`."""
    low, dash, high = text.partition("-")
    return int(low, 0), int(high if dash else low, 0)


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
    return [parse_range(item) for (item,) in items]


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


def parse_limit(words):
    """Read only to find its end: what the bucket holds is not the oracle's to know."""
    words.next()
    if words.accept("burst"):
        words.next()
    if words.accept("per"):
        words.next()
        while words.peek() is not None and words.peek().startswith("/"):
            words.next()


def parse_verdict(words, rule):
    rule.verdict = words.accept("pass", "drop", "bounce", "redirect", "forward", "route", *GOES_ON)
    if rule.verdict == "redirect":
        rule.fib = words.accept("fib") is not None
        rule.device = None if rule.fib else str(words.next())
    elif rule.verdict in ("forward", "route"):
        rule.fib = rule.verdict == "route"
        rule.verdict = "forward"
        if words.accept("fallback"):
            rule.fallback = words.accept("pass", "drop")
    elif rule.verdict == "limit":
        parse_limit(words)
    elif rule.verdict == "log" and words.accept("sample"):
        words.next()
    if rule.verdict is None or rule.fallback is None:
        raise ConfigError("rule %s: verdict before %r" % (rule.name, words.peek()))


def parse_flags(words):
    """VALUE/MASK; the tokens split it at its commas."""
    text = words.next()
    while words.accept(","):
        text += "," + words.next()
    value, mask = (sum(FLAGS[name] for name in part.split(",")) if part[0].isalpha()
                   else int(part, 0) for part in text.split("/"))
    return value, mask


def parse_option(words, rule, config):
    option = words.accept("fragment", "flags", "icmp-type", "length", "mac", "observe", "band",
                          "expires", "owner", *NUMBERS)
    if option == "flags":
        rule.flags = parse_flags(words)
    elif option == "icmp-type":
        rule.icmp_type = int(words.next(), 0)
        if words.accept("code"):
            rule.icmp_code = int(words.next(), 0)
    elif option == "length":
        rule.length = parse_range(words.next())
    elif option == "mac":
        side = {"src": "mac_source", "dst": "mac_destination"}[words.next()]
        negated = bool(words.accept("not"))
        setattr(rule, side, Match(negated, config.sets[words.next()[1:]]))
    elif option in NUMBERS:
        setattr(rule, option.replace("-", "_"), int(words.next(), 0))
    elif option == "observe":
        rule.observe = True
    elif option == "band":
        rule.band = int(words.next(), 0)
    elif option == "fragment":
        rule.fragment = str(words.next())
    elif option:  # expires, owner
        words.next()
    else:
        raise ConfigError("rule %s: option %r is not in the oracle" % (rule.name, words.peek()))


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
        parse_option(words, rule, config)
    stated = (proto, rule.source, rule.destination, rule.source_ports, rule.destination_ports,
              rule.fragment, rule.flags, rule.icmp_type, rule.length, rule.dscp)
    rule.ip_only = any(part is not None for part in stated)
    config.rules.append(rule)


def parse_set(words, config):
    name = str(words.next())
    read_item = parse_mac if words.accept("mac") else parse_prefix
    addresses = config.sets[name] = set() if read_item is parse_mac else Addresses()
    words.accept("live")
    if words.accept("max"):
        words.next()
    for item in words.block():
        if item[0] == "file" and not isinstance(item[0], String):
            with open(os.path.join(config.folder, item[1])) as lines:
                for line in lines:
                    line = line.partition("#")[0].strip()
                    if line:
                        addresses.add(read_item(line))
        else:
            addresses.add(read_item(item[0]))


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
    # Sets first: a rule may stand before the set that it names.
    for words in sorted(statements(text), key=lambda words: words.peek() != "set"):
        keyword = words.accept("interface", "default", "set", "rule", "forwarder", "limits")
        if keyword == "interface":
            parse_interface(words, config)
        elif keyword == "default":
            config.default = str(words.next())
        elif keyword == "set":
            parse_set(words, config)
        elif keyword == "rule":
            parse_rule(words, config)
        elif keyword in ("forwarder", "limits"):
            words.block()  # change no verdict of the filter
        else:
            raise ConfigError("statement %r is not in the oracle" % words.peek())
        if words.peek() is not None:
            raise ConfigError("%s: unexpected %r" % (keyword, words.peek()))
    config.rules.sort(key=lambda rule: rule.band)  # stable: then by position
    return config


def read(path):
    with open(path) as source:
        return parse(source.read(), os.path.dirname(os.path.abspath(path)))
