// The page of the room: asks every two seconds what the seats have told, and draws it. Text goes in as text, never as HTML.
"use strict";

const EVERY = 2000, PATIENCE = 5000; // milliseconds
const SIGNS = { passed: "✓", trying: "…", stuck: "!", none: "○" };
const SAID = { passed: "passed", trying: "tried, not passed yet", stuck: "tried for longer than its minutes", none: "not tried" };
const $ = (id) => document.getElementById(id);

let room = null, drawn = "", chosen = null; // chosen: a lab's number, or null to follow the room

function make(tag, className, text, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  node.append(...children);
  return node;
}

function stateOf(seat, id) {
  if (seat.passed.includes(id)) return "passed";
  if (seat.stuck === id) return "stuck";
  return seat.trying.includes(id) ? "trying" : "none";
}

/** The lab in which most seats were last at work; the first one before anybody was. */
function busiest() {
  const many = {};
  for (const seat of room.seats) if (seat.at) many[seat.at.split(".")[0]] = (many[seat.at.split(".")[0]] || 0) + 1;
  return room.labs.reduce((best, lab) => ((many[lab.number] || 0) > (many[best.number] || 0) ? lab : best), room.labs[0]);
}

function seatsList(numbers) {
  return (numbers.length === 1 ? "seat " : "seats ") + numbers.join(", ");
}

function drawLabs(current) {
  const wanted = [["", "Follow the room"], ...room.labs.map((lab) => [lab.number, lab.number])];
  if ($("labs").childElementCount !== wanted.length) {
    $("labs").replaceChildren(...wanted.map(([number, label]) => {
      const button = make("button", "", label);
      button.type = "button";
      button.dataset.lab = number;
      button.addEventListener("click", () => { chosen = number || null; draw(); });
      return button;
    }));
    room.labs.forEach((lab, at) => $("labs").children[at + 1].setAttribute("aria-label", `Lab ${lab.number}, ${lab.name}`));
  }
  for (const button of $("labs").children) button.setAttribute("aria-pressed", String(button.dataset.lab === (chosen || "")));
  $("where").textContent = `Where the room is: lab ${current.number}, ${current.name}`;
}

function drawExercise(exercise) {
  const seats = { passed: [], trying: [], stuck: [], none: [] };
  for (const seat of room.seats) seats[stateOf(seat, exercise.id)].push(seat.seat);
  const trying = seats.trying.length + seats.stuck.length;
  const counts = `${seats.passed.length} passed · ${trying} trying · ${seats.none.length} not yet`;
  const bar = make("div", "bar");
  bar.setAttribute("aria-hidden", "true");
  for (const state of ["passed", "trying", "stuck"]) {
    const part = make("span", state);
    part.style.width = `${(100 * seats[state].length) / Math.max(room.seats.length, 1)}%`;
    bar.append(part);
  }
  const name = make("div", "name", "", make("span", "", `${exercise.id} ${exercise.title}`), make("span", "counts", counts));
  const item = make("li", "", "", name, bar);
  if (seats.stuck.length) item.append(make("p", "long", `Longer than its ${exercise.minutes} minutes: ${seatsList(seats.stuck)}`));
  return item;
}

function drawSeat(seat, exercises) {
  const states = exercises.map((exercise) => stateOf(seat, exercise.id));
  const number = make("div", "number", "", make("span", "hidden", "Seat "), String(seat.seat));
  if (seat.quiet >= 10) number.append(make("small", "", "", make("span", "hidden", " quiet for "), `${seat.quiet} min`));
  const marks = make("div", "marks");
  exercises.forEach((exercise, at) => {
    const mark = make("span", `mark ${states[at]}`, SIGNS[states[at]]);
    mark.setAttribute("aria-hidden", "true");
    mark.title = `${exercise.id} ${SAID[states[at]]}`;
    marks.append(mark);
  });
  const said = exercises.map((exercise, at) => `${exercise.id} ${SAID[states[at]]}`).join(", ");
  const look = states.includes("stuck") ? "stuck" : states.every((state) => state === "passed") ? "done" : "";
  return make("li", look, "", number, marks, make("span", "hidden", said));
}

function draw() {
  const current = room.labs.find((lab) => lab.number === chosen) || busiest();
  drawLabs(current);
  $("told").hidden = !room.told;
  $("told").textContent = room.told || "";
  $("commands").replaceChildren(...room.addresses.map((address) => make("code", "", `course join ${address} ${room.code} SEAT`)));
  $("exercises").replaceChildren(...current.exercises.map(drawExercise));
  $("seats").replaceChildren(...room.seats.map((seat) => drawSeat(seat, current.exercises)));
  $("nobody").hidden = room.seats.length > 0;
  $("seat").max = room.most;
}

function say(text, lost) {
  if ($("status").textContent !== text) $("status").textContent = text;
  $("status").classList.toggle("lost", lost);
}

let seen = "";
async function look() {
  try {
    const answer = await fetch("/state", { signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(String(answer.status));
    const text = await answer.text();
    if (text !== drawn) {
      room = JSON.parse(text);
      drawn = text;
      draw();
    }
    seen = new Date().toLocaleTimeString();
    say(`${room.seats.length} ${room.seats.length === 1 ? "seat has" : "seats have"} joined · live`, false);
  } catch {
    say(`The room does not answer${seen ? `; last seen at ${seen}` : ""}. This page goes on asking.`, true);
  }
  setTimeout(look, EVERY);
}

$("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

$("free").addEventListener("submit", async (event) => {
  event.preventDefault();
  const seat = Number($("seat").value);
  try {
    const answer = await fetch("/free", {
      method: "POST", headers: { "X-Room": "free" }, body: JSON.stringify({ seat }), signal: AbortSignal.timeout(PATIENCE),
    });
    $("freed").textContent = answer.ok ? `Seat ${seat} is free.` : (await answer.json()).error;
  } catch {
    $("freed").textContent = "The room does not answer.";
  }
});

look();
