// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How figures are written and the document is changed. Text goes in by textContent alone: names
// in it come from anybody. What is drawn again stays the same nodes, so that a selection, the
// focus and the place in a list survive the next second.
"use strict";

const byId = (id) => document.getElementById(id);
const kept = { now: null, before: null, chosen: null, sort: "position", history: new Map(), odd: new Map() };

// ---- figures ---------------------------------------------------------------

const THIN = "\u2009", NONE = "\u2013";

/** Three digits and a prefix: 842, 12.4 k, 1.25 M. */
function short(value) {
	if (value === null)
		return NONE;
	const units = ["", "k", "M", "G", "T"];
	let u = 0;
	for (; value >= 999.5 && u < units.length - 1; u++)
		value /= 1000;
	const digits = u === 0 ? (value < 9.95 && value % 1 ? 1 : 0) : value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
	return value.toFixed(digits) + (units[u] ? THIN + units[u] : "");
}

/** All digits, in groups of three. */
const long = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, THIN);

function ago(seconds) {
	if (seconds === null)
		return NONE;
	if (seconds < 1.5)
		return "now";
	for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60]])
		if (seconds >= size)
			return Math.floor(seconds / size) + THIN + unit;
	return Math.floor(seconds) + THIN + "s";
}

/** A second; null where there is nothing to compare with, or a counter began anew. */
function rate(now, before) {
	const seconds = kept.before ? kept.now.clock_seconds - kept.before.clock_seconds : 0;
	if (before === undefined || before === null || seconds <= 0 || now < before)
		return null;
	return (now - before) / seconds;
}

/** Packets a second and bits a second of a counter. */
const rates = (now, before) => ({
	pps: rate(now.packets, before && before.packets),
	bps: before && rate(now.bytes, before.bytes) !== null ? 8 * rate(now.bytes, before.bytes) : null,
});

const find = (list, same) => (list || []).find(same);
const sum = (object) => Object.values(object).reduce((all, one) => all + one, 0);

// ---- the document ------------------------------------------------------------

function make(tag, className, text) {
	const node = document.createElement(tag);
	if (className)
		node.className = className;
	if (text !== undefined)
		node.textContent = text;
	return node;
}

function setText(node, text) {
	if (node.textContent !== text)
		node.textContent = text;
}

/** A text in which `words` are commands. */
function setProse(node, text) {
	if (node.dataset.text === text)
		return;
	node.dataset.text = text;
	node.replaceChildren(...text.split("`").map((part, i) => i % 2 ? make("code", "", part) : part));
}

function setClass(node, name) {
	if (node.className !== name)
		node.className = name;
}

/** As many children as there are keys, in their order; those that stay are the same nodes. */
function sync(parent, keys, create) {
	const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
	const nodes = keys.map((key) => {
		let node = old.get(key);
		if (!node) {
			node = create(key);
			node.dataset.key = key;
		}
		old.delete(key);
		return node;
	});
	old.forEach((node) => node.remove());
	nodes.forEach((node, i) => {
		if (parent.children[i] !== node)
			parent.insertBefore(node, parent.children[i] || null);
	});
	return nodes;
}

/** A bar of parts [class, value], which together are the whole. */
function drawBar(bar, parts, whole) {
	const nodes = sync(bar, parts.map((part) => part[0]), (key) => make("i", key));
	nodes.forEach((node, i) => {
		node.style.width = whole > 0 ? Math.min(100, 100 * parts[i][1] / whole) + "%" : "0";
	});
}

/**
 * A table. columns: [title, class of its cells, sort key or undefined]; rows: [key, cells], where
 * a cell is a text, {text, class} or {bar: [class, part, whole, whether the whole is shown]}.
 */
function drawTable(table, columns, rows) {
	if (!table.tHead) {
		const line = table.createTHead().insertRow();
		columns.forEach(([title, className, sort]) => {
			const head = make("th", className || "");
			head.scope = "col";
			if (sort) {
				const button = make("button", "", title);
				button.type = "button";
				button.dataset.sort = sort;
				head.append(button);
			} else {
				head.textContent = title;
			}
			line.append(head);
		});
		table.createTBody();
	}
	const lines = sync(table.tBodies[0], rows.map((row) => row[0]), () => {
		const line = make("tr");
		columns.forEach(() => line.append(make("td")));
		return line;
	});
	lines.forEach((line, r) => rows[r][1].forEach((given, c) => {
		const cell = line.children[c], base = columns[c][1] || "";
		if (given !== null && typeof given === "object" && given.bar) {
			const [kind, part, whole, track] = given.bar;
			setClass(cell, base);
			if (!cell.firstChild)
				cell.append(make("div"));
			setClass(cell.firstChild, track ? "bar track" : "bar");
			drawBar(cell.firstChild, [[kind, part]], whole);
		} else {
			const value = given !== null && typeof given === "object" ? given : { text: given };
			setClass(cell, (base + " " + (value.class || "")).trim());
			setText(cell, String(value.text));
		}
	}));
}

/** A figure that is dim while it is nothing. */
const dim = (text, value) => ({ text, class: value ? "" : "zero" });
/** A figure that should be nothing. */
const alarm = (value) => ({ text: long(value), class: value ? "bad" : "zero" });
