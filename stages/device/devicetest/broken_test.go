package devicetest

import (
	"math"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"openrs/stages/device"
)

// broken is the reference with one mistake. A conformance suite is worth what it rejects.
type broken struct {
	*Reference
	mistake string
}

// mistakes maps each mistake to the test that must notice it.
var mistakes = map[string]string{
	"MatMul without bias":                     "values/MatMul",
	"MatMul that knows its batch":             "bits/Rows of forward operations",
	"RMSNorm that writes past its view":       "values/RMSNorm",
	"Attention that forgets the prefix":       "values/Attention",
	"Attention that knows its prefix":         "bits/Shared prefixes",
	"PagedAttention with other bits":          "bits/Paged attention",
	"PagedAttention that ignores its pages":   "values/PagedAttention",
	"CacheCopy that copies nothing":           "values/CacheCopy",
	"WeightGrad that overwrites":              "values/MatMulBackward",
	"WeightGrad that sums before it adds":     "bits/Weight gradients over calls",
	"WeightGrad that knows float32 only":      "values/MatMulBackward",
	"WeightGrad that rounds in float32":       "values/MatMulBackward",
	"RMSNormBackward that ignores add":        "values/RMSNormBackward",
	"Sample without top-p":                    "sampling/Draws",
	"Sample with top-p of all tokens":         "sampling/Truncations",
	"Sample that takes the last of equals":    "sampling/Ties",
	"Sample with log p of temperature 1":      "bits/Sample and LogProbs",
	"LogProbs with a wrong entropy":           "values/LogProbs",
	"LogProbs that takes 0 for nearly 0":      "values/LogProbs",
	"AdamW without bias correction":           "values/Optimizing",
	"Dropout by the place of the row":         "values/Dropout",
	"Dropout that ignores add":                "values/Dropout",
	"Embed that clamps ids":                   "shapes/Embed",
	"MatMul that refuses without saying what": "shapes/MatMul",
}

func (d *broken) is(mistake string) bool { return d.mistake == mistake }

// nudge changes the last bit of one element.
func nudge(t device.Tensor) {
	if t.Len() > 0 {
		m := open("nudge", "t", t)
		row := m.row(m.rows - 1)
		row[0] = math.Nextafter32(row[0], 100)
	}
}

func (d *broken) MatMul(y, x device.Tensor, w device.Weight, bias device.Tensor) {
	if d.is("MatMul without bias") {
		bias = device.Tensor{}
	}
	if d.is("MatMul that refuses without saying what") && x.Cols != w.In() {
		panic("bad shape")
	}
	d.Reference.MatMul(y, x, w, bias)
	if d.is("MatMul that knows its batch") && y.Rows == 13 {
		nudge(y)
	}
}

func (d *broken) RMSNorm(y, x, w device.Tensor, eps float32) {
	d.Reference.RMSNorm(y, x, w, eps)
	if d.is("RMSNorm that writes past its view") && y.Rows > 1 && y.Stride > y.Cols {
		y.Buf.(*buffer).data[y.Offset+y.Cols] = 0
	}
}

func (d *broken) Attention(out, lse, q, k, v device.Tensor, shape device.AttentionShape, segs []device.Segment) {
	prefixed := false
	if d.is("Attention that forgets the prefix") {
		segs = append([]device.Segment{}, segs...)
		for i := range segs {
			segs[i].PrefixLen = 0
		}
	}
	for _, s := range segs {
		prefixed = prefixed || s.PrefixLen > 0
	}
	d.Reference.Attention(out, lse, q, k, v, shape, segs)
	if d.is("Attention that knows its prefix") && prefixed {
		nudge(out)
	}
}

func (d *broken) PagedAttention(out, q device.Tensor, c device.Cache, layer int, shape device.AttentionShape, seqs []device.PagedSeq) {
	if d.is("PagedAttention that ignores its pages") {
		seqs = append([]device.PagedSeq{}, seqs...)
		for i := range seqs {
			pages := make([]int32, len(seqs[i].Pages))
			for j := range pages {
				pages[j] = int32(j)
			}
			seqs[i].Pages = pages
		}
	}
	d.Reference.PagedAttention(out, q, c, layer, shape, seqs)
	if d.is("PagedAttention with other bits") {
		nudge(out)
	}
}

func (d *broken) CacheCopy(c device.Cache, src, dst int32) {
	if !d.is("CacheCopy that copies nothing") {
		d.Reference.CacheCopy(c, src, dst)
	}
}

func (d *broken) WeightGrad(dw, dy, x device.Tensor, dtype device.DType) {
	switch {
	case d.is("WeightGrad that overwrites"):
		d.Zero(dw)
	case d.is("WeightGrad that sums before it adds"):
		buf, _ := d.Alloc(dw.Len())
		sum := device.View(buf, 0, dw.Rows, dw.Cols)
		d.Reference.WeightGrad(sum, dy, x, dtype)
		for r := range dw.Rows {
			for c, v := range open("", "", sum).row(r) {
				open("", "", dw).row(r)[c] += v
			}
		}
		return
	}
	switch {
	case d.is("WeightGrad that knows float32 only"):
		dtype = device.F32
	case d.is("WeightGrad that rounds in float32"):
		dtype = device.BF16
	}
	d.Reference.WeightGrad(dw, dy, x, dtype)
}

func (d *broken) RMSNormBackward(dx, dw, dy, x, w device.Tensor, eps float32, add bool) {
	d.Reference.RMSNormBackward(dx, dw, dy, x, w, eps, add && !d.is("RMSNormBackward that ignores add"))
}

func (d *broken) Sample(logits device.Tensor, params []device.Sampling, ids []int32, logp []float32) error {
	params = append([]device.Sampling{}, params...)
	for i := range params {
		if d.is("Sample without top-p") {
			params[i].TopP = 0
		}
		if d.is("Sample with top-p of all tokens") && params[i].TopK > 0 {
			s := softmax(open("", "", logits).row(i), params[i].Temperature)
			var left float64
			for _, id := range byProbability(s)[:min(params[i].TopK, len(s.z))] {
				left += s.prob(id)
			}
			params[i].TopP = min(1, params[i].TopP/float32(left))
		}
	}
	if err := d.Reference.Sample(logits, params, ids, logp); err != nil {
		return err
	}
	m := open("", "", logits)
	for i, p := range params {
		if d.is("Sample that takes the last of equals") && p.Temperature == 0 {
			for j, x := range m.row(i) {
				if x >= m.row(i)[ids[i]] {
					ids[i] = int32(j)
				}
			}
		}
		if d.is("Sample with log p of temperature 1") {
			logp[i] = softmax(m.row(i), 1).logProb(int(ids[i]))
		}
	}
	return nil
}

func (d *broken) LogProbs(logp, lse, entropy, h device.Tensor, w device.Weight, targets []int32, temperature []float32) {
	if d.is("LogProbs that takes 0 for nearly 0") {
		temperature = append([]float32{}, temperature...)
		for i := range temperature {
			temperature[i] = max(temperature[i], 0.01)
		}
	}
	d.Reference.LogProbs(logp, lse, entropy, h, w, targets, temperature)
	if d.is("LogProbs with a wrong entropy") && !entropy.IsZero() {
		d.Scale(entropy, 1.001)
	}
}

func (d *broken) Dropout(y, x device.Tensor, rate float32, seed uint64, rows []int32, add bool) {
	if d.is("Dropout by the place of the row") {
		rows = append([]int32{}, rows...)
		for i := range rows {
			rows[i] = int32(i)
		}
	}
	d.Reference.Dropout(y, x, rate, seed, rows, add && !d.is("Dropout that ignores add"))
}

func (d *broken) AdamW(p, g, m, v device.Tensor, step device.AdamWStep) {
	if d.is("AdamW without bias correction") {
		step.T = 1 << 40
	}
	d.Reference.AdamW(p, g, m, v, step)
}

func (d *broken) Embed(y device.Tensor, w device.Weight, ids []int32) {
	if d.is("Embed that clamps ids") {
		ids = append([]int32{}, ids...)
		for i := range ids {
			ids[i] = min(ids[i], int32(w.Out()-1))
		}
	}
	d.Reference.Embed(y, w, ids)
}

// mistakeEnv names, in a child process, the mistake to make.
const mistakeEnv = "DEVICETEST_MISTAKE"

// TestRunRejects runs the suite on broken devices, each in a process of its own, and expects it to fail.
func TestRunRejects(t *testing.T) {
	if mistake := os.Getenv(mistakeEnv); mistake != "" {
		Run(t, func(*testing.T) device.Device {
			return &broken{NewReference().(*Reference), mistake}
		})
		return
	}
	if underRace {
		t.Skip("nothing here runs at the same time")
	}
	for _, mistake := range append(sorted(mistakes), "none") {
		test, fails := mistakes[mistake]
		if !fails {
			test = "values/MatMul"
		}
		t.Run(mistake, func(t *testing.T) {
			t.Parallel()
			pattern := "^TestRunRejects$"
			for _, part := range strings.Split(strings.ReplaceAll(test, " ", "_"), "/") {
				pattern += "/^" + regexp.QuoteMeta(part) + "$"
			}
			cmd := exec.Command(os.Args[0], "-test.run", pattern)
			cmd.Env = append(os.Environ(), mistakeEnv+"="+mistake)
			out, err := cmd.CombinedOutput()
			if strings.Contains(string(out), "no tests to run") {
				t.Fatalf("no test %s", test)
			}
			if fails != (err != nil) || fails && !strings.Contains(string(out), "--- FAIL") {
				t.Errorf("%s on a device with this mistake: %v\n%s", test, err, out)
			}
		})
	}
}
