// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Asks for state.json once a second and shows it. Rates are the difference of two readings, by
// the exporter's clock.
"use strict";

const PERIOD_MS = 1000;
const HISTORY = 120; // readings, for the curves
const ODD = 5; // readings after which a figure that should be 0 is believed

// ---- interfaces --------------------------------------------------------------

function makeCard(name) {
	const card = make("article", "card"), title = make("h2"), figures = make("div", "figures");
	const spark = document.createElementNS("http://www.w3.org/2000/svg", "svg");
	title.append(make("span", "", name), make("small"));
	for (const unit of ["packets/s received", "bit/s received"]) {
		const figure = make("div", "figure");
		figure.append(make("span"), make("small", "", unit));
		figures.append(figure);
	}
	spark.setAttribute("class", "spark");
	spark.setAttribute("viewBox", "0 0 " + (HISTORY - 1) + " 40");
	spark.setAttribute("preserveAspectRatio", "none");
	spark.setAttribute("role", "img");
	spark.setAttribute("aria-label", "Packets a second received and dropped, the last two minutes");
	for (const kind of ["line", "polyline", "polyline"])
		spark.append(document.createElementNS(spark.namespaceURI, kind));
	for (const [key, value] of [["x1", 0], ["x2", HISTORY - 1], ["y1", 40], ["y2", 40]])
		spark.children[0].setAttribute(key, value);
	spark.children[2].setAttribute("class", "drop");
	figures.append(spark);
	card.append(title, figures, make("div", "bar"), make("ul", "legend"));
	return card;
}

function drawSpark(spark, history) {
	const most = Math.max(1, ...history.map((point) => point.pps));
	["pps", "drop"].forEach((key, k) => {
		const points = history.map((point, i) =>
			(HISTORY - history.length + i) + "," + (40 - 38 * point[key] / most).toFixed(1));
		spark.children[k + 1].setAttribute("points", points.join(" "));
	});
}

function drawCard(card, now, before) {
	const got = rates(now.rx, before && before.rx);
	const verdicts = Object.keys(now.verdicts).map((verdict) =>
		[verdict, rates(now.verdicts[verdict], before && before.verdicts[verdict]).pps]);
	const title = card.querySelector("h2 small"), figures = card.querySelectorAll(".figure span");
	const history = kept.history.get(now.name) || [];
	const whole = verdicts.reduce((all, one) => all + (one[1] || 0), 0);

	if (got.pps !== null && kept.fresh)
		history.push({ pps: got.pps, drop: verdicts.find((one) => one[0] === "drop")[1] || 0 });
	if (history.length > HISTORY)
		history.shift();
	kept.history.set(now.name, history);
	setText(title, [now.mode, now.generation ? "generation " + now.generation : "no configuration",
		now.rules_total === 1 ? "1 rule" : long(now.rules_total) + " rules", "default " + now.default,
		now.up ? "" : "DOWN"].filter(Boolean).join(" · "));
	setText(figures[0], short(got.pps));
	setText(figures[1], short(got.bps));
	drawSpark(card.querySelector(".spark"), history);
	drawBar(card.querySelector(".bar"), verdicts.map((one) => [one[0], one[1] || 0]), whole);
	sync(card.querySelector(".legend"), verdicts.map((one) => one[0]), (verdict) => {
		const line = make("li", verdict);
		line.append(make("span", "", verdict), make("span"));
		return line;
	}).forEach((line, i) => {
		setClass(line, verdicts[i][0] + (verdicts[i][1] ? "" : " zero"));
		setText(line.lastChild, verdicts[i][1] === null ? NONE : short(verdicts[i][1]) + "/s");
	});
}

// ---- what one interface has ----------------------------------------------------

function drawRules(now, before) {
	const old = new Map(((before && before.rules) || []).map((rule) => [rule.name, rule.matched]));
	const rows = now.rules.map((rule) => ({ rule, rate: rates(rule.matched, old.get(rule.name)) }));
	const keys = {
		position: (a, b) => a.rule.position - b.rule.position,
		rate: (a, b) => (b.rate.pps || 0) - (a.rate.pps || 0) || keys.position(a, b),
		packets: (a, b) => b.rule.matched.packets - a.rule.matched.packets || keys.position(a, b),
		hit: (a, b) => (a.rule.hit_seconds ?? Infinity) - (b.rule.hit_seconds ?? Infinity) || keys.position(a, b),
	};
	rows.sort((a, b) => keys[kept.sort](a, b) || 0);
	drawTable(byId("rules"), [["#", "n minor", "position"], ["rule", "name"], ["verdict"], ["packets/s", "n", "rate"],
		["bit/s", "n minor"], ["packets", "n minor", "packets"], ["bytes", "n minor"], ["last hit", "n", "hit"]],
	rows.map(({ rule, rate: r }) => [rule.name, [
		rule.position + 1, rule.name,
		{ text: rule.verdict + (rule.observe ? " (observe)" : "") + (rule.expires_seconds === null ? "" :
			", " + ago(rule.expires_seconds) + " left"), class: rule.verdict },
		dim(short(r.pps), r.pps), dim(short(r.bps), r.bps), dim(long(rule.matched.packets), rule.matched.packets),
		dim(short(rule.matched.bytes), rule.matched.bytes),
		{ text: ago(rule.hit_seconds), class: rule.hit_seconds === null ? "zero" : rule.hit_seconds < 1.5 ? "hot" : "" },
	]]));
	byId("rules").querySelectorAll("th button").forEach((button) => {
		if (button.dataset.sort === kept.sort)
			button.parentNode.setAttribute("aria-sort", kept.sort === "position" || kept.sort === "hit" ? "ascending" : "descending");
		else
			button.parentNode.removeAttribute("aria-sort");
	});
	setText(byId("rules-note"), now.rules.length < now.rules_total ?
		"the " + long(now.rules.length) + " of " + long(now.rules_total) + " with most packets" :
		now.rules_total ? "in their order; the first that matches decides" : "none: the default policy decides");
}

function drawPorts(now, before) {
	const rows = now.ports.map((port) => {
		const old = find(before && before.ports, (one) => one.proto === port.proto && one.port === port.port);
		return { port, rate: rates(port.received, old && old.received) };
	});
	const most = Math.max(1, ...rows.map((row) => row.rate.pps || 0));
	drawTable(byId("ports"), [["port", "name"], ["", "meter"], ["packets/s", "n"], ["bit/s", "n minor"], ["packets", "n"]],
		rows.map(({ port, rate: r }) => [port.proto + "/" + port.port, [
			port.proto + THIN + port.port, { bar: ["forward", r.pps || 0, most] },
			dim(short(r.pps), r.pps), dim(short(r.bps), r.bps), dim(long(port.received.packets), port.received.packets),
		]]));
	setText(byId("ports-note"), now.ports.length ? "most packets first" : "no TCP or UDP packet yet");
}

function drawReasons(now, before) {
	drawTable(byId("reasons"), [["reason"], ["packets/s", "n"], ["packets", "n"], ["bytes", "n minor"]],
		Object.keys(now.reasons).map((reason) => {
			const counter = now.reasons[reason], r = rates(counter, before && before.reasons[reason]);
			return [reason, [dim(reason.replace(/_/g, " "), counter.packets), dim(short(r.pps), r.pps),
				dim(long(counter.packets), counter.packets), dim(short(counter.bytes), counter.bytes)]];
		}));
}

function drawSets(now) {
	byId("sets-section").hidden = !now.sets.length;
	drawTable(byId("sets"), [["set", "name"], ["kind"], ["", "meter minor"], ["items", "n"], ["room for", "n"]],
		now.sets.map((set) => [set.name, [set.name, set.live ? "live" : "folded",
			{ bar: ["forward", set.live ? set.items : 0, set.most, set.live] }, long(set.items), set.live ? long(set.most) : NONE]]));
}

function drawChoice(interfaces) {
	if (!find(interfaces, (one) => one.name === kept.chosen))
		kept.chosen = interfaces[0].name;
	sync(byId("choice"), ["legend", ...interfaces.map((one) => "if " + one.name)], (key) => {
		const label = make("label"), input = make("input");
		input.type = "radio";
		input.name = "interface";
		input.value = key.slice(3);
		label.append(input, key.slice(3));
		return label;
	}).slice(1).forEach((label) => {
		label.firstChild.checked = label.firstChild.value === kept.chosen;
	});
	byId("choice").hidden = interfaces.length < 2;
}

function drawInterfaces() {
	const list = kept.now.interfaces, old = kept.before ? kept.before.interfaces : [];
	const place = byId("interfaces");
	byId("detail").hidden = !list.length;
	if (!list.length) {
		sync(place, ["empty"], () => {
			const text = make("p", "empty", "No filter is attached in this network namespace. ");
			text.append(make("code", "", "sluice apply FILE"), " attaches one; this page then shows it.");
			return text;
		});
		return;
	}
	sync(place, list.map((one) => "if " + one.name), (key) => makeCard(key.slice(3))).forEach((card, i) =>
		drawCard(card, list[i], find(old, (one) => one.name === list[i].name)));
	drawChoice(list);
	const now = find(list, (one) => one.name === kept.chosen);
	const before = find(old, (one) => one.name === kept.chosen);
	drawRules(now, before);
	drawPorts(now, before);
	drawReasons(now, before);
	drawSets(now);
}

// ---- forwarders ----------------------------------------------------------------

function makeForwarder() {
	const section = make("section"), title = make("h2");
	title.append(make("span"), " ", make("small"));
	section.append(title);
	for (const [name, heading, note] of [
		["workers", "Workers", "frames by state, of all the worker has"],
		["queues", "Queues", "rings of 2048 entries, one socket each"],
		["stages", "Stages", "in the order a packet meets them"],
		["ledger", "Ledger", "every packet, from wire to wire"]]) {
		const part = make("div", name), head = make("h3", "", heading);
		head.append(make("small", "", note));
		part.append(head, make("table"));
		section.append(part);
	}
	return section;
}

const yes = (value, word) => ({ text: value ? word : NONE, class: value ? "" : "zero" });

function drawWorkers(table, now, before) {
	drawTable(table, [["worker"], ["CPU", "n minor"], ["queues"], ["in use", "meter"], ["free", "n"], ["fill", "n"], ["rx", "n minor"],
		["stage", "n minor"], ["tx", "n minor"], ["polling"], ["calls/s", "n minor"], ["violations", "n"]],
	now.workers.map((worker, i) => {
		const f = worker.frames, old = before && before.workers[i];
		const calls = rate(sum(worker.syscalls), old && sum(old.syscalls));
		return [String(i), [i, worker.cpu, worker.queues.join(", "), { bar: ["forward", f.total - f.free - f.fill, f.total, true] },
			long(f.free), long(f.fill), long(f.rx), long(f.stage), long(f.tx),
			worker.polling ? "spins" : "sleeps", short(calls), alarm(worker.violations)]];
	}));
}

function drawQueues(table, now, before) {
	const rows = [];
	now.workers.forEach((worker, w) => worker.ports.forEach((port, p) => {
		const old = before && before.workers[w] && before.workers[w].ports[p];
		const rx = rates(port.rx, old && old.rx), tx = rates(port.tx, old && old.tx);
		rows.push([w + "/" + p, [port.interface + THIN + port.queue, { text: port.mode, class: port.mode === "copy" ? "limit" : "pass" },
			yes(port.busy_poll, "engaged"), yes(port.deferred, "yes"), { text: port.link ? "up" : "DOWN", class: port.link ? "" : "bad" },
			dim(short(rx.pps), rx.pps), dim(short(tx.pps), tx.pps), alarm(sum(port.drops)),
			alarm(port.xdp.rx_dropped + port.xdp.rx_ring_full)]]);
	}));
	drawTable(table, [["queue", "name"], ["mode"], ["busy polling"], ["deferred", "minor"], ["link"], ["rx/s", "n"], ["tx/s", "n"],
		["dropped", "n"], ["lost by the kernel", "n"]], rows);
}

function drawStages(part, now, before) {
	part.hidden = !now.stages.length;
	drawTable(part.lastChild, [["stage"], ["target", "name"], ["packets/s", "n"], ["packets", "n"], ["dropped", "n"], ["copied", "n"],
		["copies lost", "n"]],
	now.stages.map((stage, i) => {
		const old = before && before.stages[i];
		return [String(i), [stage.stage, stage.target, short(rate(stage.packets, old && old.packets)), long(stage.packets),
			dim(long(stage.dropped), stage.dropped), stage.copied === undefined ? NONE : long(stage.copied),
			stage.lost === undefined ? NONE : alarm(stage.lost)]];
	}));
}

/**
 * What is missing, or too much. Counters are not read in one moment, so under traffic it is off
 * by what came in between; what stays is a loss.
 */
function odd(key, value) {
	if (kept.fresh)
		kept.odd.set(key, value ? (kept.odd.get(key) || 0) + 1 : 0);
	return (kept.odd.get(key) || 0) >= ODD;
}

/** A row a place on a packet's way, a column an interface; the forwarder gives the names. */
function drawLedger(table, ledger) {
	const sides = ledger.interfaces, first = sides[0] || {}, nic = Object.keys((find(sides, (s) => s.nic) || {}).nic || {});
	const own = Object.keys(first).filter((key) => key !== "name" && key !== "nic");
	const way = [...nic.filter((key) => key.startsWith("rx")).map((key) => ["NIC", key]), ...own.map((key) => ["", key]),
		...nic.filter((key) => !key.startsWith("rx")).map((key) => ["NIC", key])];
	if (table.tHead && table.tHead.rows[0].cells.length !== sides.length + 1)
		table.replaceChildren();
	drawTable(table, [["", ""], ...sides.map((side) => [side.name, "n"])], way.map(([where, key]) => [where + key, [
		{ text: (where ? where + " " : "") + key.replace(/_/g, " "), class: where ? "zero" : "" },
		...sides.map((side) => {
			const value = where ? (side.nic || {})[key] : side[key];
			if (value === null || value === undefined)
				return { text: NONE, class: "zero" };
			if (key === "unexplained")
				return odd(table.dataset.pid + side.name, value) ? alarm(value) : dim(long(value), false);
			return key === "lost" ? alarm(value) : dim(long(value), value);
		})]]));
}

function drawForwarders() {
	const old = kept.before ? kept.before.forwarders : [];
	sync(byId("forwarders"), kept.now.forwarders.map((one) => "pid " + one.pid), makeForwarder).forEach((section, i) => {
		const now = kept.now.forwarders[i], before = find(old, (one) => one.pid === now.pid);
		const whole = now.ledger.unexplained, missing = odd(String(now.pid), whole), ledger = section.querySelector(".ledger table");
		setText(section.querySelector("h2 span"), "Forwarder " + now.interfaces.map((one) => one.name).join(", "));
		setText(section.querySelector("h2 small"), (now.accounted ? "every frame accounted for" : "FRAMES NOT ACCOUNTED FOR") + " · " +
			(missing ? long(whole) + " PACKETS UNEXPLAINED" : whole ? long(whole) + " packets on their way" : "no packet unexplained") + " · process " + now.pid + " · " + now.config);
		drawWorkers(section.querySelector(".workers table"), now, before);
		drawQueues(section.querySelector(".queues table"), now, before);
		drawStages(section.querySelector(".stages"), now, before);
		ledger.dataset.pid = now.pid;
		drawLedger(ledger, now.ledger);
	});
}

// ---- the host --------------------------------------------------------------------

function drawCpus() {
	const percent = (value) => dim((100 * value).toFixed(1) + THIN + "%", value >= 0.0005);
	byId("cpus-section").hidden = !kept.now.pressure.length;
	drawTable(byId("cpus"), [["CPU"], ["", "meter"], ["pressure", "n"], ["deferred", "n"], ["exhausted", "n"]],
		kept.now.pressure.map((one) => [String(one.cpu), [one.cpu, { bar: [one.pressure < 0.5 ? "pass" : "drop", one.pressure, 1, true] },
			percent(one.pressure), percent(one.deferred), percent(one.exhausted)]]));
}

function drawFindings() {
	const list = kept.now.findings;
	byId("findings").hidden = !list.length;
	sync(byId("findings"), list.map((one) => one.level + " " + one.where + " " + one.text.replace(/\d+/g, "")), () => {
		const line = make("p");
		line.append(make("b"), make("span"));
		return line;
	}).forEach((line, i) => {
		setClass(line, "finding " + list[i].level);
		setText(line.firstChild, list[i].where);
		setProse(line.lastChild, list[i].text);
	});
}

function draw() {
	setText(byId("host"), kept.now.host);
	document.title = "Sluice " + kept.now.host;
	drawFindings();
	drawInterfaces();
	drawForwarders();
	drawCpus();
}

// ---- the clock ---------------------------------------------------------------------

let paused = false, answeredAt = 0, timer = 0;

function say(className, text) {
	setClass(byId("live"), className);
	setText(byId("live"), text);
}

/** The exporter does not answer, or cannot: what is shown is old, and looks it. */
function showGone(why) {
	const seconds = answeredAt ? Math.round((performance.now() - answeredAt) / 1000) : 0;
	byId("gone").hidden = false;
	setText(byId("gone"), why + (answeredAt ? " The figures are " + ago(Math.max(2, seconds)) + " old." : "") + " Trying again each second.");
	byId("main").className = "stale";
	say("off", "no answer");
}

async function ask() {
	let answer;
	try {
		answer = await fetch("state.json", { signal: AbortSignal.timeout(10000) });
	} catch {
		return showGone("sluice-exporter does not answer: it has ended, or the way to it is cut.");
	}
	if (!answer.ok)
		return showGone((await answer.text()).trim());
	const state = await answer.json();
	kept.fresh = !kept.now || state.clock_seconds !== kept.now.clock_seconds;
	if (kept.fresh && kept.now)
		kept.before = kept.now;
	kept.now = state;
	answeredAt = performance.now();
	byId("gone").hidden = true;
	byId("main").className = "";
	say("on", "live");
	draw();
}

async function turn() {
	timer = 0;
	if (!paused && !document.hidden)
		await ask();
	if (!paused && !document.hidden && !timer)
		timer = setTimeout(turn, PERIOD_MS);
}

function setPaused(value) {
	paused = value;
	byId("pause").setAttribute("aria-pressed", String(paused));
	setText(byId("pause"), paused ? "Go on" : "Pause");
	if (paused)
		say("", "paused");
	else if (!timer)
		turn();
}

byId("pause").addEventListener("click", () => setPaused(!paused));
document.addEventListener("keydown", (event) => {
	if (event.key === "p" && !event.ctrlKey && !event.metaKey && !event.altKey)
		setPaused(!paused);
});
document.addEventListener("visibilitychange", () => {
	if (!document.hidden && !timer)
		turn();
});
byId("choice").addEventListener("change", (event) => {
	kept.chosen = event.target.value;
	draw();
});
byId("rules").addEventListener("click", (event) => {
	if (event.target.dataset.sort) {
		kept.sort = event.target.dataset.sort;
		draw();
	}
});
turn();
