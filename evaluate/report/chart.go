package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// plot is a chart with everything in place, in the units of its view box. The
// template "plot" of page.html writes it as SVG; colours come from the classes
// (style.css), so that the page's light and dark colours hold for plots too.
type plot struct {
	Label          string // for readers who can't see it
	W, H           float64
	Left, Right    float64 // edges of the drawing area
	Top, Bottom    float64
	XTicks, YTicks []tick
	XLabel         string
	Lines          []line
	Bars           []bar
	Whiskers       []whisker
	Marks          []mark
	Refs           []ref
	Verticals      []float64 // grid lines
	Texts          []note
}

type tick struct {
	At    float64
	Label string
}

type line struct{ Class, Path string }

type note struct {
	X, Y        float64
	Class, Text string
}

type bar struct {
	Class      string
	X, Y, W, H float64
	Title      string
}

// whisker is an interval from Y1 to Y2 with ends from CapL to CapR.
type whisker struct {
	Class      string
	X, Y1, Y2  float64
	CapL, CapR float64
}

type mark struct {
	Class string
	X, Y  float64
	R     float64
	Title string
}

// ref is a horizontal line with a name, shown when it is pointed at.
type ref struct {
	Class string
	Y     float64
	Label string
}

// scale maps data to places: At(lo) = from, At(hi) = to.
type scale struct{ lo, hi, from, to float64 }

func (s scale) At(v float64) float64 {
	if s.hi == s.lo {
		return (s.from + s.to) / 2
	}
	return s.from + (v-s.lo)/(s.hi-s.lo)*(s.to-s.from)
}

// frame lays out an empty chart of a size.
func frame(label string, w, h float64) plot {
	return plot{Label: label, W: w, H: h, Left: 46, Right: w - 12, Top: 10, Bottom: h - 30}
}

func (p *plot) x(lo, hi float64) scale { return scale{lo, hi, p.Left, p.Right} }
func (p *plot) y(lo, hi float64) scale { return scale{lo, hi, p.Bottom, p.Top} }

// steps returns round numbers from lo to hi, about n of them: multiples of 1,
// 2 or 5 times a power of ten.
func steps(lo, hi float64, n int) []float64 {
	if !(hi > lo) || math.IsInf(hi-lo, 0) {
		return []float64{lo}
	}
	raw := (hi - lo) / float64(max(n, 1))
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * unit
	for _, m := range []float64{1, 2, 5} {
		if m*unit >= raw*0.999 {
			step = m * unit
			break
		}
	}
	var out []float64
	// The + 0 makes a 0 of a -0.
	for i := math.Ceil(lo/step-1e-9) + 0; i*step <= hi+step*1e-9 && len(out) < 100; i++ {
		out = append(out, i*step)
	}
	return out
}

// ticks places labels on a scale. All labels have as many decimals as their
// distance needs.
func ticks(s scale, n int, asPercent bool) []tick {
	at := steps(s.lo, s.hi, n)
	distance := s.hi - s.lo
	if len(at) > 1 {
		distance = at[1] - at[0]
	}
	factor, unit := 1.0, ""
	if asPercent {
		factor, unit = 100, " %"
	}
	distance *= factor
	var out []tick
	for _, v := range at {
		label := ""
		switch v *= factor; {
		case math.Abs(v) < distance/1e6:
			label = "0"
		case distance < 1e-3 || math.Abs(v) >= 1e6:
			label = scientific(v, 2)
		default:
			label = strconv.FormatFloat(v, 'f', max(0, -int(math.Floor(math.Log10(distance)+1e-9))), 64)
		}
		out = append(out, tick{s.At(v / factor), strings.Replace(label, "-", "−", 1) + unit})
	}
	return out
}

// path joins points by lines.
func path(points [][2]float64, x, y scale) string {
	var b strings.Builder
	for i, p := range points {
		c := byte('L')
		if i == 0 {
			c = 'M'
		}
		b.WriteByte(c)
		fmt.Fprintf(&b, "%.1f %.1f", x.At(p[0]), y.At(p[1]))
	}
	return b.String()
}

// thin leaves at most about n points by averaging neighbours, for curves with
// more points than the chart has pixels.
func thin(points [][2]float64, n int) [][2]float64 {
	if len(points) <= n {
		return points
	}
	out := make([][2]float64, 0, n)
	for i := range n {
		lo, hi := i*len(points)/n, (i+1)*len(points)/n
		var p [2]float64
		for _, q := range points[lo:hi] {
			p[0] += q[0] / float64(hi-lo)
			p[1] += q[1] / float64(hi-lo)
		}
		out = append(out, p)
	}
	return out
}

// brief is a name that has room in a plot.
func brief(name string, most int) string {
	runes := []rune(name)
	if len(runes) <= most {
		return name
	}
	return string(runes[:most-1]) + "…"
}
