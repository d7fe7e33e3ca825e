package devicetest

import (
	"math"

	"openrs/stages/device"
)

var sampling = map[string]func(*twin){
	"Greedy":      samplingGreedy,
	"Draws":       samplingDraws,
	"Frequencies": samplingFrequencies,
	"Ties":        samplingTies,
	"Truncations": samplingTruncations,
	"Far logits":  samplingFar,
	"Batch":       samplingBatch,
}

// sample draws on the tested device.
func (w *twin) sample(logits device.Tensor, params []device.Sampling) ([]int32, []float32) {
	w.Helper()
	ids, logp := make([]int32, len(params)), make([]float32, len(params))
	if err := w.devs[0].Sample(logits, params, ids, logp); err != nil {
		w.Fatalf("sample: %v", err)
	}
	return ids, logp
}

// bitsSample: the log-probability that Sample reports has the bits of LogProbs, for logits of MatMul
// with the same weight; a greedy choice (temperature 0) has those of temperature 1.
func bitsSample(w *twin) {
	d := w.devs[0]
	for _, dtype := range w.dtypes {
		for _, vocab := range vocabularies() {
			for _, rows := range []int{1, 2, 13, 40} {
				m, h := w.weight(vocab, 48, dtype, false)[0], w.tensor(rows, 48)
				d.Scale(h.t[0], 3)
				logits := w.tensor(rows, vocab)
				d.MatMul(logits.t[0], h.t[0], m, device.Tensor{})
				temp := w.temperatures(rows)
				params := make([]device.Sampling, rows)
				for i := range params {
					params[i] = device.Sampling{Temperature: temp[i], U: w.rng.Float64()}
					switch i % 5 {
					case 1:
						params[i].Temperature, temp[i] = 0, 1
					case 2:
						params[i].TopP = 0.8
					case 3:
						params[i].TopK, params[i].MinP = 5, 0.01
					}
				}
				ids, logp := w.sample(logits.t[0], params)
				want := w.dense(rows, 1)
				d.LogProbs(want.t[0], device.Tensor{}, device.Tensor{}, h.t[0], m, ids, temp)
				w.equal(shapeName("log-probabilities of Sample", dtype, "vocabulary", vocab), logp, w.got(want))
			}
		}
	}
}

func samplingGreedy(w *twin) {
	for _, vocab := range vocabularies() {
		logits := w.tensor(9, vocab)
		ids, _ := w.sample(logits.t[0], make([]device.Sampling, 9))
		values := w.got(logits)
		for r, id := range ids {
			row := values[r*vocab : (r+1)*vocab]
			for i, x := range row {
				if x > row[id] || x == row[id] && i < int(id) {
					w.Fatalf("greedy took token %d (%v) of %d, token %d has %v", id, row[id], vocab, i, x)
				}
			}
		}
	}
}

// samplingDraws compares with the reference, leaving out draws so close to a boundary of the
// cumulative distribution or of top-p that rounding decides them.
func samplingDraws(w *twin) {
	const rows = 30
	compared := 0
	for _, vocab := range vocabularies() {
		logits := w.tensor(rows, vocab)
		for _, d := range []int{0, 1} {
			w.devs[d].Scale(logits.t[d], 2)
		}
		params := make([]device.Sampling, rows)
		for i := range params {
			params[i] = device.Sampling{Temperature: 0.2 + w.rng.Float32(), U: w.rng.Float64()}
			if i%2 == 1 {
				params[i].TopK = 1 + w.rng.IntN(vocab+2)
			}
			if i%3 == 1 {
				params[i].TopP = w.rng.Float32()
			}
			if i%5 == 1 {
				params[i].MinP = 0.3 * w.rng.Float32()
			}
			switch i {
			case 10:
				params[i].U = 0
			case 11:
				params[i].TopP = 1
			case 12:
				params[i].TopP = 1e-9 // keeps the most probable
			}
		}
		ids, logp := w.sample(logits.t[0], params)
		want, wantLogp := make([]int32, rows), make([]float32, rows)
		if err := w.devs[1].Sample(logits.t[1], params, want, wantLogp); err != nil {
			w.Fatal(err)
		}
		values := w.read(logits.t[1], 1)
		for r := range rows {
			if !decided(values[r*vocab:(r+1)*vocab], params[r]) {
				continue
			}
			compared++
			if ids[r] != want[r] {
				w.Fatalf("vocabulary %d, %+v: drew token %d, the reference %d", vocab, params[r], ids[r], want[r])
			}
			w.close("log-probability", logp[r:r+1], wantLogp[r:r+1], tolSoft)
		}
	}
	if compared < rows*len(vocabularies())*3/4 {
		w.Errorf("only %d of %d draws were far enough from a boundary to compare", compared, rows*len(vocabularies()))
	}
}

// decided reports whether small changes of the probabilities cannot change the draw.
func decided(logits []float32, p device.Sampling) bool {
	id := draw(softmax(logits, p.Temperature), p)
	for _, eps := range []float64{-1e-5, 1e-5} {
		for _, q := range []device.Sampling{
			{Temperature: p.Temperature, TopK: p.TopK, TopP: p.TopP, MinP: p.MinP, U: min(max(p.U+eps, 0), 1)},
			{Temperature: p.Temperature, TopK: p.TopK, TopP: p.TopP * float32(1+eps), MinP: p.MinP, U: p.U},
			{Temperature: p.Temperature, TopK: p.TopK, TopP: p.TopP, MinP: p.MinP * float32(1+eps), U: p.U},
		} {
			if (p.TopP < 1) != (q.TopP < 1) {
				continue
			}
			if draw(softmax(logits, q.Temperature), q) != id {
				return false
			}
		}
	}
	return true
}

// samplingFrequencies draws at evenly spaced U: the share of each token is its probability.
func samplingFrequencies(w *twin) {
	const n = 2000
	probs := []float64{0.5, 0.001, 0.2, 0.25, 0.049}
	row := make([]float32, len(probs))
	for i, p := range probs {
		row[i] = float32(2 * math.Log(p)) // drawn at temperature 2
	}
	logits := w.dense(n, len(probs))
	all, params := make([]float32, 0, n*len(probs)), make([]device.Sampling, n)
	for i := range params {
		all = append(all, row...)
		params[i] = device.Sampling{Temperature: 2, U: (float64(i) + 0.5) / n}
	}
	w.set(logits, all)
	ids, logp := w.sample(logits.t[0], params)
	count := make([]float64, len(probs))
	for i, id := range ids {
		count[id]++
		if want := math.Log(probs[id]); math.Abs(float64(logp[i])-want) > 1e-5 {
			w.Fatalf("log-probability %v of a token of probability %v", logp[i], probs[id])
		}
		if i > 0 && ids[i-1] > id {
			w.Fatalf("token %d after token %d although U grew: the draw goes in order of token id", id, ids[i-1])
		}
	}
	for i, p := range probs {
		if math.Abs(count[i]/n-p) > 2.0/n {
			w.Errorf("token %d of probability %v came %v of %d times", i, p, count[i], n)
		}
	}
}

// samplingTies: equal logits count by token id, for the largest, for top-k and for top-p.
func samplingTies(w *twin) {
	row := []float32{0, 1, 1, 1, 1, 0}
	for _, c := range []struct {
		name string
		p    device.Sampling
		want []int32 // at U = 0 and just below 1
	}{
		{"greedy", device.Sampling{}, []int32{1, 1}},
		{"top-k 1", device.Sampling{Temperature: 1, TopK: 1}, []int32{1, 1}},
		{"top-k 2", device.Sampling{Temperature: 1, TopK: 2}, []int32{1, 2}},
		{"top-k 5", device.Sampling{Temperature: 1, TopK: 5}, []int32{0, 4}},
		{"top-p small", device.Sampling{Temperature: 1, TopP: 0.05}, []int32{1, 1}},
		{"top-p", device.Sampling{Temperature: 1, TopP: 0.5}, []int32{1, 3}},
		{"min-p", device.Sampling{Temperature: 1, MinP: 0.9}, []int32{1, 4}},
		{"all", device.Sampling{Temperature: 1, TopK: 100, TopP: 1, MinP: 0.01}, []int32{0, 5}},
	} {
		w.ends(c.name, row, c.p, c.want)
	}
}

// samplingTruncations: what top-k, top-p and min-p keep together, worked out by hand. The token ids are
// out of the order of probability: 0.2, 0.4, 0.1, 0.3.
func samplingTruncations(w *twin) {
	row := []float32{float32(math.Log(0.2)), float32(math.Log(0.4)), float32(math.Log(0.1)), float32(math.Log(0.3))}
	for _, c := range []struct {
		name string
		p    device.Sampling
		want []int32 // the lowest and the highest id of those kept
	}{
		// 0.4 is 0.4 of all tokens, but 0.4/0.7 = 0.571 of what top-k leaves, which reaches 0.5 alone.
		{"top-p of two", device.Sampling{Temperature: 1, TopK: 2, TopP: 0.5}, []int32{1, 1}},
		{"top-p of all", device.Sampling{Temperature: 1, TopP: 0.5}, []int32{1, 3}},
		{"top-p above the first of two", device.Sampling{Temperature: 1, TopK: 2, TopP: 0.6}, []int32{1, 3}},
		// (0.4 + 0.3)/0.9 = 0.778: with the third, 0.2 (id 0), only above that.
		{"top-p of three", device.Sampling{Temperature: 1, TopK: 3, TopP: 0.75}, []int32{1, 3}},
		{"top-p above the second of three", device.Sampling{Temperature: 1, TopK: 3, TopP: 0.8}, []int32{0, 3}},
		{"top-k beyond the vocabulary", device.Sampling{Temperature: 1, TopK: 9, TopP: 0.75}, []int32{0, 3}},
		{"top-p 1", device.Sampling{Temperature: 1, TopK: 2, TopP: 1}, []int32{1, 3}},
		// Min-p compares with the most probable, so what went before does not change its bound: 0.28 of 0.4.
		{"min-p last", device.Sampling{Temperature: 1, TopK: 3, TopP: 0.95, MinP: 0.7}, []int32{1, 3}},
		{"min-p above the second", device.Sampling{Temperature: 1, TopK: 3, TopP: 0.95, MinP: 0.8}, []int32{1, 1}},
		// At temperature 1/2 the probabilities are 4, 16, 1 and 9 of 30, so 16/25 = 0.64 reaches 0.6.
		{"temperature first", device.Sampling{Temperature: 0.5, TopK: 2, TopP: 0.6}, []int32{1, 1}},
	} {
		w.ends(c.name, row, c.p, c.want)
	}
}

// ends draws from row at U = 0 and just below 1, which yields the lowest and the highest id kept.
func (w *twin) ends(name string, row []float32, p device.Sampling, want []int32) {
	w.Helper()
	logits := w.set(w.dense(2, len(row)), append(append([]float32{}, row...), row...))
	params := []device.Sampling{p, p}
	params[1].U = math.Nextafter(1, 0)
	ids, _ := w.sample(logits.t[0], params)
	for i := range ids {
		if ids[i] != want[i] {
			w.Errorf("%s at U = %v: token %d, want %d", name, params[i].U, ids[i], want[i])
		}
	}
}

// samplingFar: a token that is certain is drawn at any U, and a mask of −Inf is never drawn.
func samplingFar(w *twin) {
	inf := float32(math.Inf(-1))
	logits := w.set(w.dense(3, 4), []float32{0, 1000, 0, 0, inf, 3, inf, inf, inf, inf, 2, 2})
	for _, u := range []float64{0, 0.3, 0.999999} {
		p := device.Sampling{Temperature: 0.5, U: u}
		ids, logp := w.sample(logits.t[0], []device.Sampling{p, p, p})
		if ids[0] != 1 || ids[1] != 1 || ids[2] < 2 {
			w.Errorf("at U = %v: tokens %v", u, ids)
		}
		w.close("log-probabilities", logp, []float32{0, 0, float32(math.Log(0.5))}, 1e-6)
	}
}

// samplingBatch: a row is drawn alike alone and with others.
func samplingBatch(w *twin) {
	const rows, vocab = 23, 3000
	logits := w.tensor(rows, vocab)
	params := make([]device.Sampling, rows)
	for i := range params {
		params[i] = device.Sampling{Temperature: 1, TopP: 0.9, U: w.rng.Float64()}
	}
	ids, logp := w.sample(logits.t[0], params)
	for r := range rows {
		id, lp := w.sample(logits.t[0].RowRange(r, r+1), params[r:r+1])
		if id[0] != ids[r] || lp[0] != logp[r] {
			w.Fatalf("row %d: token %d (%v) alone, %d (%v) with %d others", r, id[0], lp[0], ids[r], logp[r], rows-1)
		}
	}
}
