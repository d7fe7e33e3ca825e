package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"openrs/schemas"
)

// shots is where the pictures of the page go: OPENRS_SCREENSHOTS, so that somebody can look at them, or a folder that
// is removed.
func shots(t testing.TB) string {
	if dir := os.Getenv("OPENRS_SCREENSHOTS"); dir != "" {
		return dir
	}
	return t.TempDir()
}

func savePage(t testing.TB, r *Report) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, []byte(pageOf(t, r)), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// fits makes sure that nothing on the page is wider than the window, and that the console is silent.
func (c *chromium) fits(what string) {
	c.t.Helper()
	var wide []int
	c.eval("[document.documentElement.scrollWidth, innerWidth]", &wide)
	if wide[0] > wide[1] {
		var who []string
		c.eval(`[...document.querySelectorAll('main *')].filter(e => {
			if (e.getBoundingClientRect().right <= innerWidth) return false;
			for (let p = e.parentElement; p; p = p.parentElement) if (getComputedStyle(p).overflowX !== 'visible') return false;
			return true;
		}).slice(0, 6).map(e => e.tagName + '.' + (e.getAttribute('class') || '') + ' ' + Math.round(e.getBoundingClientRect().right) + ' ' + e.textContent.slice(0, 30))`, &who)
		c.t.Errorf("%s: the page is %d wide in a window of %d: %v", what, wide[0], wide[1], who)
	}
	for _, e := range c.errors() {
		c.t.Errorf("%s: %.600s", what, e)
	}
}

const ready = "document.querySelector('#samples').dataset.ready"

// TestPageInChromium opens the page in a real browser, on a desktop and on phones, light and dark.
func TestPageInChromium(t *testing.T) {
	c := startChromium(t)
	r := mustBuild(t, study(t, 1), Options{Title: "Open-RS on four benchmarks", Seed: 1, Seconds: 5141, Metrics: trainingMetrics(120), Settings: []Setting{{"temperature", "0.6"}, {"top-p", "0.95"}}})
	path, folder := savePage(t, r), shots(t)
	for _, v := range []struct {
		name          string
		width, height int
		dark          bool
	}{{"desktop", 1280, 900, false}, {"desktop-dark", 1280, 900, true}, {"tablet", 768, 1024, false}, {"phone", 360, 780, false}, {"phone-dark", 320, 640, true}} {
		c.view(v.width, v.height, v.dark)
		c.open(path)
		c.until(ready)
		c.fits(v.name)
		c.eval("document.querySelectorAll('details').forEach(d => d.open = true)", nil)
		c.eval("document.querySelector('.row').click()", nil)
		c.fits(v.name + ", all open")
		c.eval("document.querySelectorAll('details').forEach(d => d.open = false)", nil)
		c.shot(folder, v.name+".png", "")
		c.shot(folder, v.name+"-samples.png", "#samples")
	}
	pdf := c.bytes("Page.printToPDF", map[string]any{"printBackground": true, "preferCSSPageSize": true, "paperWidth": 8.27, "paperHeight": 11.69})
	if !bytes.HasPrefix(pdf, []byte("%PDF")) || len(pdf) < 10_000 {
		t.Errorf("printed to %d bytes that begin %.8q", len(pdf), pdf)
	}
	if err := os.WriteFile(filepath.Join(folder, "print.pdf"), pdf, 0o644); err != nil {
		t.Fatal(err)
	}
	c.call("Emulation.setEmulatedMedia", map[string]any{"media": "print"}, nil)
	var printed map[string]string
	c.eval(`Object.fromEntries(['#samples', '#examples', '.contents', '#scores', '#method'].map(s => [s, getComputedStyle(document.querySelector(s)).display]))`, &printed)
	if printed["#samples"] != "none" || printed[".contents"] != "none" || printed["#examples"] == "none" || printed["#scores"] == "none" || printed["#method"] == "none" {
		t.Errorf("in print: %v", printed)
	}
	c.view(760, 1100, true)
	c.call("Emulation.setEmulatedMedia", map[string]any{"media": "print", "features": []map[string]string{{"name": "prefers-color-scheme", "value": "dark"}}}, nil)
	var paper string
	c.eval(`getComputedStyle(document.body).backgroundColor`, &paper)
	if paper != "rgb(255, 255, 255)" {
		t.Errorf("paper of a dark page: %s", paper)
	}
	c.shot(folder, "print.png", "")
}

// TestSampleBrowser filters, sorts, searches and turns the pages of as many samples as an evaluation has.
func TestSampleBrowser(t *testing.T) {
	c := startChromium(t)
	inputs := study(t, 1)
	inputs = append(inputs, inputs[0], inputs[1], inputs[2])
	for i := range inputs[3:] {
		inputs[3+i].Name += " again"
	}
	r := mustBuild(t, inputs, Options{Seed: 1, Resamples: 200})
	total, right, cut, none, aime := 0, 0, 0, 0, 0
	longest := 0
	for _, a := range r.answers {
		for i, row := range a.rows {
			total++
			right += int(indicator(*row.Correct))
			cut += int(indicator(row.FinishReason == schemas.FinishLength))
			o := a.verdicts[i].outcome
			none += int(indicator(o == outcomeNoAnswer || o == outcomeCut))
			aime += int(indicator(row.Source == "aime24" && a.name == "base" && *row.Correct))
			longest = max(longest, len(row.CompletionIDs))
		}
	}
	if total < 10_000 {
		t.Fatalf("only %d samples", total)
	}
	page := savePage(t, r)
	c.view(1280, 900, false)
	began := time.Now()
	c.open(page)
	c.until(ready)
	info, err := os.Stat(page)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d samples, %d KiB, opened in %v", total, info.Size()>>10, time.Since(began).Round(time.Millisecond))

	status := func(want string) {
		t.Helper()
		var got string
		c.eval("document.querySelector('.status').textContent", &got)
		if got != want {
			t.Errorf("status %q, want %q", got, want)
		}
	}
	of := func(n int) string { return fmt.Sprintf("1–%d of %s samples", min(25, n), grouped(n)) }
	chip := func(label string) {
		t.Helper()
		c.eval(fmt.Sprintf("[...document.querySelectorAll('.chips button')].find(b => b.textContent.startsWith(%q)).click()", label), nil)
	}
	set := func(name, option string) {
		t.Helper()
		c.eval(fmt.Sprintf(`(() => { const s = document.querySelector('.filters').elements[%q]; s.value = [...s.options].find(o => o.textContent === %q).value; s.dispatchEvent(new Event('change')) })()`, name, option), nil)
	}
	search := func(words string) {
		t.Helper()
		c.eval(fmt.Sprintf(`(() => { const f = document.querySelector('.filters').elements.text; f.value = %q; f.form.requestSubmit() })()`, words), nil)
	}
	texts := func(selector string) (out []string) {
		t.Helper()
		c.eval(fmt.Sprintf("[...document.querySelectorAll(%q)].map(e => e.textContent)", selector), &out)
		return out
	}

	status(of(total))
	chip("Right")
	status(of(right))
	for _, v := range texts(".row .verdict") {
		if v != "✓ right" {
			t.Errorf("among the right ones: %q", v)
		}
	}
	set("model", "base")
	set("task", "aime24")
	status(of(aime))
	chip("Truncated")
	set("model", "All models")
	set("task", "All tasks")
	status(of(cut))
	chip("No answer")
	status(of(none))
	chip("All")

	set("order", "Longest first")
	if tokens := texts(".row .tokens"); len(tokens) != 25 || !strings.HasPrefix(tokens[0], grouped(longest)) {
		t.Errorf("the longest of %d: %v", longest, tokens)
	}
	set("order", "Shortest first")
	c.eval("document.querySelector('.pager [name=next]').click()", nil)
	status(fmt.Sprintf("26–50 of %s samples", grouped(total)))
	set("order", "Hardest problems first")
	set("order", "Models furthest apart first")
	set("order", "By problem")

	search(`"Step 12." pmod`)
	var found int
	c.eval("+document.querySelector('.status').textContent.match(/of ([\\d,]+)/)[1].replace(/,/g, '')", &found)
	want := 0
	for _, a := range r.answers {
		for _, row := range a.rows {
			want += int(indicator(strings.Contains(row.Completion, "Step 12.") && strings.Contains(row.Completion, "pmod")))
		}
	}
	if found != want || want == 0 {
		t.Errorf("found %d samples, want %d", found, want)
	}
	c.eval("document.querySelector('.row').click()", nil)
	if marks := texts(".sheet mark"); len(marks) == 0 || strings.ToLower(marks[0]) != "step 12." && marks[0] != "pmod" {
		t.Errorf("marked: %.3v", marks)
	}
	search("nothing has this in it")
	status("No sample matches.")
	search("")

	var took float64
	c.eval(`(() => { const began = performance.now(), s = document.querySelector('.filters').elements.order;
		for (const o of s.options) { s.value = o.value; s.dispatchEvent(new Event('change')); }
		document.body.getBoundingClientRect(); return (performance.now() - began) / s.options.length })()`, &took)
	t.Logf("sorting %d samples takes %.1f ms", total, took)

	// The keyboard alone: down the list, into a sample and out of it.
	c.eval("document.querySelector('.row').focus()", nil)
	key := func(name string, code int) {
		t.Helper()
		text := map[string]string{"Enter": "\r"}[name]
		c.call("Input.dispatchKeyEvent", map[string]any{"type": "keyDown", "key": name, "code": name, "windowsVirtualKeyCode": code, "text": text}, nil)
		c.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": name, "code": name, "windowsVirtualKeyCode": code}, nil)
	}
	key("ArrowDown", 40)
	key("ArrowDown", 40)
	key("Enter", 13)
	var at []int
	c.eval("[[...document.querySelectorAll('.row')].indexOf(document.activeElement), document.querySelectorAll('.sheet').length]", &at)
	if at[0] != 2 || at[1] != 1 {
		t.Errorf("after two arrows and Enter: row %d, %d open", at[0], at[1])
	}
	c.eval("document.querySelector('.siblings button:last-of-type').click()", nil)
	key("Enter", 13)
	c.eval("[[...document.querySelectorAll('.row')].indexOf(document.activeElement), document.querySelectorAll('.sheet').length]", &at)
	if at[0] != 2 || at[1] != 0 {
		t.Errorf("after another sample and Enter: row %d, %d open", at[0], at[1])
	}
	c.fits("samples")
}

// TestHostileSamples opens samples that try to break out of the page or to make it useless.
func TestHostileSamples(t *testing.T) {
	c := startChromium(t)
	evil := `</script></pre><script>window.broken=1</script><img src=x onerror="window.broken=2"><style>main{display:none}</style>`
	texts := []string{
		evil, "nul \x00 bell \x07 escape \x1b[31m", "\u202eright to left override \u2066isolate", "שלום $x^2$ עולם \\boxed{1}", "\xed\xa0\x80 half a pair \xff",
		strings.Repeat("W", 100_000), strings.Repeat("line\n", 30_000), "{{.Title}} ${1+1} `x` <!--", "", "\ufeff\u2028\u2029 separators",
	}
	var rows []schemas.Scored
	for i, text := range texts {
		r := row(fmt.Sprint(i), 0, new(i%2 == 0), 7)
		r.Completion, r.Problem, r.Answer, r.Extracted, r.Source = text, text, evil, &text, text
		rows = append(rows, r)
	}
	long := strings.Repeat("a-very-long-name/", 12)
	r := mustBuild(t, []Input{{evil, rows}, {long + strings.Repeat("x", 120), rows[:2]}}, Options{
		Title: evil, Resamples: 50, Settings: []Setting{{evil, strings.Repeat("y", 500)}}, Level: func(string, string) (string, bool) { return evil, true },
		Metrics: []schemas.Metric{{Stage: evil, Step: 1, Name: evil, Value: 1}, {Stage: evil, Step: 2, Name: evil, Value: 2}},
	})
	page, folder := savePage(t, r), shots(t)
	for _, width := range []int{1280, 400, 320} {
		c.view(width, 800, false)
		c.open(page)
		c.until(ready)
		c.eval("document.querySelectorAll('.row').forEach(e => e.click())", nil)
		if width == 320 {
			c.eval("document.querySelectorAll('.sheet .more').forEach(e => e.click())", nil)
		}
		c.eval("document.body.getBoundingClientRect()", nil)
		c.fits(fmt.Sprint("hostile, ", width))
		var state []any
		c.eval(`[window.broken || 0, document.images.length, document.scripts.length, getComputedStyle(document.querySelector('main')).display, document.querySelectorAll('.sheet').length]`, &state)
		if fmt.Sprint(state) != "[0 0 1 block 12]" {
			t.Errorf("%d wide: broken, images, scripts, main, open: %v", width, state)
		}
	}
	var shown []string
	c.eval(`[...document.querySelectorAll('.sheet pre')].map(e => e.textContent)`, &shown)
	all := strings.Join(shown, "\n")
	for _, want := range []string{evil, "nul ␀ bell ␇ escape ␛[31m", "⟨U+202E⟩right to left", strings.Repeat("W", 100_000), "half a pair"} {
		if !strings.Contains(all, want) {
			t.Errorf("%.60q is not shown", want)
		}
	}
	c.open(page)
	c.until(ready)
	c.shot(folder, "hostile.png", "")
}

// TestPageWithoutScript shows the examples when scripts are off, and when the samples can't be unpacked.
func TestPageWithoutScript(t *testing.T) {
	c := startChromium(t)
	r := mustBuild(t, []Input{student(t, "before", 40, 2, 0.5, 0), student(t, "after", 40, 2, 0.9, 8)}, Options{})
	page := savePage(t, r)
	shown := func() (out []string) {
		c.eval(`['#samples', '#examples'].map(s => getComputedStyle(document.querySelector(s)).display)`, &out)
		return out
	}
	c.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
	c.open(page)
	if got := fmt.Sprint(shown()); got != "[none grid]" {
		t.Errorf("without scripts: %s", got)
	}
	c.fits("without scripts")
	c.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": false}, nil)

	text := pageOf(t, r)
	at := strings.Index(text, `id="packed">`) + len(`id="packed">`)
	if err := os.WriteFile(page, []byte(text[:at+200]+"AAAA"+text[at+204:]), 0o644); err != nil {
		t.Fatal(err)
	}
	c.open(page)
	c.until("getComputedStyle(document.querySelector('#samples')).display === 'none'")
	if got := fmt.Sprint(shown()); got != "[none grid]" {
		t.Errorf("with broken samples: %s", got)
	}
	if len(c.errors()) == 0 {
		t.Error("nothing says that the samples are broken")
	}
}
