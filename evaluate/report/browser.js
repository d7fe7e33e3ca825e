// The browser of samples. The samples lie in the page, compressed; everything that comes from them is shown as
// text (textContent), never as markup.
(() => {
  'use strict';
  const section = document.getElementById('samples');
  const packed = document.getElementById('packed');
  if (!section || !packed || typeof DecompressionStream === 'undefined') return; // the examples stay instead
  document.documentElement.classList.add('script');

  const pageSize = 25;
  const mostShown = 20000; // characters of a text that are shown before a button is pressed
  const $ = (selector) => section.querySelector(selector);
  const status = $('.status'), list = $('.rows'), form = $('.filters'), pager = $('.pager');

  let data = null;
  let lower = null; // lower-case texts for searching, made at the first search
  let byProblem = null; // rows of each problem
  let share = null; // right samples of each problem, and how far apart the models are
  let spread = null;
  let order = []; // rows that match, in order
  let at = 0; // page
  let kind = 'all';

  const kinds = [
    { key: 'all', label: 'All', of: () => true },
    { key: 'right', label: 'Right', of: (i) => data.o[i] === 0 },
    { key: 'wrong', label: 'Wrong', of: (i) => data.o[i] >= 1 && data.o[i] <= 3 },
    { key: 'none', label: 'No answer', of: (i) => data.o[i] === 4 || data.o[i] === 5 },
    { key: 'cut', label: 'Truncated', of: (i) => data.f[i] === 1 },
    { key: 'open', label: 'Not judged', of: (i) => data.o[i] >= 6 },
  ];
  const orders = [
    ['problem', 'By problem', (a, b) => a - b],
    ['hard', 'Hardest problems first', (a, b) => share[data.p[a]] - share[data.p[b]]],
    ['apart', 'Models furthest apart first', (a, b) => spread[data.p[b]] - spread[data.p[a]]],
    ['long', 'Longest first', (a, b) => data.n[b] - data.n[a]],
    ['short', 'Shortest first', (a, b) => data.n[a] - data.n[b]],
  ];

  function make(tag, className, text) {
    const e = document.createElement(tag);
    if (className) e.className = className;
    if (text !== undefined) e.textContent = text;
    return e;
  }

  // visible shows characters that would otherwise do something or nothing: controls, and marks that turn the
  // direction of what follows.
  function visible(s) {
    if (s.toWellFormed) s = s.toWellFormed();
    return s.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufeff]/g, (c) => {
      const n = c.charCodeAt(0);
      if (n === 13) return '';
      return n < 32 ? String.fromCharCode(0x2400 + n) : '⟨U+' + n.toString(16).toUpperCase().padStart(4, '0') + '⟩';
    });
  }

  const line = (s) => visible(s.slice(0, 300)).replace(/\s+/g, ' ').trim();
  // series is the class of a model's colour, as in the plots.
  const series = (m) => 's' + (data.models.length > 6 ? Math.min(m, 1) : m);
  const number = (n) => n.toLocaleString('en-US');

  async function unpack() {
    const text = atob(packed.textContent);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    packed.remove();
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    return new Response(stream).json();
  }

  function begin() {
    byProblem = data.problems.map(() => []);
    data.p.forEach((p, i) => byProblem[p].push(i));
    share = byProblem.map((rows) => {
      const judged = rows.filter((i) => data.o[i] < 6);
      return judged.length ? judged.filter((i) => data.o[i] === 0).length / judged.length : 2;
    });
    spread = byProblem.map((rows) => {
      const sums = new Map();
      for (const i of rows) {
        if (data.o[i] >= 6) continue;
        const s = sums.get(data.m[i]) || [0, 0];
        s[0] += data.o[i] === 0 ? 1 : 0;
        s[1]++;
        sums.set(data.m[i], s);
      }
      const means = [...sums.values()].map((s) => s[0] / s[1]);
      return means.length > 1 ? Math.max(...means) - Math.min(...means) : -1;
    });
    // Samples of one problem stand together, whatever model they are of.
    for (const k of kinds) k.count = 0;
    options(form.model, ['All models', ...data.models]);
    options(form.task, ['All tasks', ...data.tasks]);
    for (const [key, label] of orders) {
      if (key === 'apart' && data.models.length < 2) continue;
      const o = make('option', '', label);
      o.value = key;
      form.order.append(o);
    }
    form.model.parentElement.hidden = data.models.length < 2;
    form.task.parentElement.hidden = data.tasks.length < 2;
    const chips = $('.chips');
    for (const k of kinds) {
      k.button = make('button', '', k.label);
      k.button.type = 'button';
      k.button.append(make('span'));
      k.button.addEventListener('click', () => { kind = k.key; filter(); });
      chips.append(k.button);
    }
    form.addEventListener('submit', (e) => { e.preventDefault(); filter(); });
    for (const s of [form.model, form.task, form.order]) s.addEventListener('change', filter);
    let wait = 0;
    form.text.addEventListener('input', () => { clearTimeout(wait); wait = setTimeout(filter, 150); });
    const [previous, next] = pager.querySelectorAll('button');
    previous.addEventListener('click', () => turn(at - 1));
    next.addEventListener('click', () => turn(at + 1));
    list.addEventListener('keydown', move);
    filter();
    section.dataset.ready = 'true';
  }

  function options(select, names) {
    names.forEach((name, i) => {
      const o = make('option', '', visible(name));
      o.value = String(i - 1); // -1: all
      select.append(o);
    });
  }

  // terms are what a text is searched for: all words must occur, words in quotes as they stand.
  function terms() {
    return [...form.text.value.toLowerCase().matchAll(/"([^"]+)"|(\S+)/g)].map((m) => m[1] || m[2]);
  }

  function filter() {
    const model = +form.model.value, task = +form.task.value, words = terms();
    if (words.length && !lower) {
      const problems = data.problems.map((p) => (p.q + '\n' + p.g + '\n').toLowerCase());
      lower = data.c.map((c, i) => problems[data.p[i]] + c.toLowerCase() + '\n' + (data.x[i] || '').toLowerCase());
    }
    for (const k of kinds) k.count = 0;
    const chosen = kinds.find((k) => k.key === kind);
    order = [];
    for (let i = 0; i < data.p.length; i++) {
      if (model >= 0 && data.m[i] !== model) continue;
      if (task >= 0 && data.problems[data.p[i]].t !== task) continue;
      if (words.length && !words.every((w) => lower[i].includes(w))) continue;
      for (const k of kinds) if (k.of(i)) k.count++;
      if (chosen.of(i)) order.push(i);
    }
    for (const k of kinds) {
      k.button.lastChild.textContent = number(k.count);
      k.button.setAttribute('aria-pressed', String(k.key === kind));
      k.button.hidden = k.key === 'open' && k.count === 0 && kind !== 'open';
    }
    const by = orders.find((o) => o[0] === form.order.value)[2];
    order.sort((a, b) => by(a, b) || data.p[a] - data.p[b] || data.m[a] - data.m[b] || data.k[a] - data.k[b]);
    show(0);
  }

  function show(n) {
    const pages = Math.max(1, Math.ceil(order.length / pageSize));
    at = Math.min(Math.max(0, n), pages - 1);
    const from = at * pageSize, to = Math.min(order.length, from + pageSize);
    status.textContent = order.length ? `${number(from + 1)}–${number(to)} of ${number(order.length)} samples` : 'No sample matches.';
    list.replaceChildren(...order.slice(from, to).map(entry));
    const [previous, next] = pager.querySelectorAll('button');
    previous.disabled = at === 0;
    next.disabled = at >= pages - 1;
    pager.querySelector('span').textContent = `page ${number(at + 1)} of ${number(pages)}`;
    pager.hidden = pages === 1;
  }

  function turn(n) {
    show(n);
    form.scrollIntoView({ block: 'start', behavior: 'instant' });
    const first = list.querySelector('.row');
    if (first) first.focus({ preventScroll: true });
  }

  const mood = (i) => (data.o[i] === 0 ? 'right' : data.o[i] >= 6 ? 'other' : 'wrong');
  const sign = (i) => (data.o[i] === 0 ? '✓' : data.o[i] >= 6 ? '?' : '✗');

  function entry(i) {
    const item = make('li');
    const button = make('button', 'row');
    button.type = 'button';
    button.dataset.row = i;
    button.setAttribute('aria-expanded', 'false');
    const problem = data.problems[data.p[i]];
    button.append(make('span', 'verdict ' + mood(i), sign(i) + ' ' + data.outcomes[data.o[i]]));
    const who = make('span', 'who');
    who.append(make('i', 'swatch ' + series(data.m[i])), visible(data.models[data.m[i]]));
    if (data.tasks.length > 1) who.append(make('span', 'soft', ' · ' + visible(data.tasks[problem.t])));
    who.title = visible(data.models[data.m[i]]);
    button.append(who);
    const text = make('span', 'problem-line');
    text.append(make('bdi', '', line(problem.q)));
    button.append(text);
    const found = make('span', 'found');
    if (data.o[i] === 0) found.append(make('bdi', '', line(data.x[i] || problem.g)));
    else {
      if (data.x[i]) found.append(make('bdi', '', line(data.x[i])), ' ');
      found.append(make('span', 'gold', '≠ '), make('bdi', 'gold', line(problem.g)));
    }
    button.append(found, make('span', 'tokens', number(data.n[i]) + (data.f[i] ? ' ✂' : '')));
    button.addEventListener('click', () => toggle(item, button, i));
    item.append(button);
    return item;
  }

  function toggle(item, button, i) {
    const open = button.getAttribute('aria-expanded') === 'true';
    button.setAttribute('aria-expanded', String(!open));
    if (open) item.lastChild.remove();
    else item.append(sheet(i, item, button));
  }

  // sheet is all that is known of a sample.
  function sheet(i, item, button) {
    const problem = data.problems[data.p[i]];
    const s = make('div', 'sheet');
    s.append(make('h4', '', 'Problem'));
    const question = make('p', 'text');
    question.dir = 'auto';
    fill(question, problem.q, '');
    s.append(question);

    const dl = make('dl');
    const put = (name, value, className) => {
      const dd = make('dd');
      dd.append(make('bdi', className || '', visible(value)));
      dl.append(make('dt', '', name), dd);
    };
    put('verdict', `${sign(i)} ${data.outcomes[data.o[i]]}`, 'verdict ' + mood(i));
    put('reason', data.reasons[data.r[i]]);
    put('answer found', data.x[i] === null ? 'none' : data.x[i]);
    put('gold answer', problem.g);
    put('length', number(data.n[i]) + ' tokens' + (data.f[i] ? ', cut at the limit' : ''));
    put('sample', `${data.k[i]} of ${data.models[data.m[i]]}`);
    put('seed', data.seeds[data.z[i]]);
    put('policy', 'version ' + data.v[i]);
    s.append(dl);

    s.append(make('h4', '', 'Completion'));
    const pre = make('pre');
    pre.dir = 'auto';
    pre.tabIndex = 0;
    s.append(pre);
    const whole = data.c[i];
    if (whole.length > mostShown) {
      const head = mostShown / 4, tail = whole.length - (mostShown - head);
      fill(pre, whole.slice(0, head) + `\n\n[… ${number(tail - head)} characters …]\n\n` + whole.slice(tail), data.x[i]);
      const more = make('button', 'more', `Show all ${number(whole.length)} characters`);
      more.type = 'button';
      more.addEventListener('click', () => { fill(pre, whole, data.x[i]); more.remove(); pre.focus(); });
      s.append(more);
    } else fill(pre, whole, data.x[i]);

    const answer = pre.querySelector('mark');
    if (answer) {
      const jump = make('button', 'more', terms().length ? 'To the first match' : 'To the answer');
      jump.type = 'button';
      jump.addEventListener('click', () => {
        const m = pre.querySelector('mark');
        pre.scrollTop += m.getBoundingClientRect().top - pre.getBoundingClientRect().top - pre.clientHeight / 2;
        pre.focus({ preventScroll: true });
      });
      pre.after(jump);
    }

    const others = byProblem[data.p[i]];
    if (others.length > 1) {
      s.append(make('h4', '', `All ${number(others.length)} samples of this problem`));
      const box = make('div', 'siblings');
      data.models.forEach((name, m) => {
        const mine = others.filter((k) => data.m[k] === m);
        if (!mine.length) return;
        const group = make('div');
        group.append(make('i', 'swatch ' + series(m)), make('span', 'soft', visible(name) + ' '));
        for (const k of mine.slice(0, 64)) {
          const b = make('button', 'verdict ' + mood(k), sign(k));
          b.type = 'button';
          b.title = `sample ${data.k[k]}: ${data.outcomes[data.o[k]]}, ${number(data.n[k])} tokens`;
          b.setAttribute('aria-label', b.title);
          if (k === i) b.setAttribute('aria-current', 'true');
          b.addEventListener('click', () => {
            const other = entry(k), row = other.firstChild;
            item.replaceWith(other);
            toggle(other, row, k);
            row.focus({ preventScroll: true });
          });
          group.append(b);
        }
        if (mine.length > 64) group.append(make('span', 'soft', `and ${mine.length - 64} more`));
        box.append(group);
      });
      s.append(box);
    }
    return s;
  }

  // fill shows a text: thoughts in a softer colour, and marked what is searched for and where the answer was found.
  function fill(element, raw, answer) {
    const text = visible(raw);
    const end = text.indexOf('</think>');
    const marks = [];
    const words = terms();
    if (words.length) {
      const low = text.toLowerCase();
      if (low.length === text.length) { // else places would not agree
        for (const w of words) {
          for (let k = low.indexOf(w); k >= 0 && marks.length < 300; k = low.indexOf(w, k + w.length)) marks.push([k, k + w.length]);
        }
      }
    } else if (answer) {
      const shown = visible(answer);
      const k = text.lastIndexOf(shown);
      if (k >= 0) marks.push([k, k + shown.length]);
    }
    marks.sort((a, b) => a[0] - b[0]);
    element.replaceChildren();
    let from = 0;
    const add = (to, marked) => {
      while (from < to) {
        const stop = end >= 0 && from < end && to > end ? end : to;
        const piece = make(marked ? 'mark' : 'span', from < end && end >= 0 ? 'think' : '', text.slice(from, stop));
        element.append(piece);
        from = stop;
      }
    };
    for (const [a, b] of marks) {
      if (a < from) continue;
      add(a, false);
      add(b, true);
    }
    add(text.length, false);
  }

  function move(e) {
    if (e.key !== 'ArrowDown' && e.key !== 'ArrowUp' || !e.target.classList.contains('row')) return;
    const rows = [...list.querySelectorAll('.row')];
    const to = rows[rows.indexOf(e.target) + (e.key === 'ArrowDown' ? 1 : -1)];
    if (to) { e.preventDefault(); to.focus(); }
  }

  unpack().then((d) => { data = d; begin(); }).catch((err) => {
    document.documentElement.classList.remove('script'); // the examples stay instead
    console.error('the samples can not be unpacked:', err);
  });
})();
