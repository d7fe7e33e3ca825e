package roofline

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"openrs/stages/device"
	"openrs/stages/model"
)

// Plan is what a job takes on devices of one kind: the memory of each and the time of each part.
type Plan struct {
	Model      string       `json:"model"`
	Machine    Machine      `json:"machine"`
	Devices    int          `json:"devices"`
	DType      string       `json:"dtype"`
	Job        string       `json:"job"` // in words
	Memory     model.Memory `json:"memory"`
	Work       []Work       `json:"work"`
	Seconds    float64      `json:"seconds_limit"` // all parts after each other
	Efficiency float64      `json:"efficiency"`    // the share of the limits that is expected
	Expected   float64      `json:"seconds"`       // Seconds / Efficiency
	Tokens     int          `json:"tokens"`        // of completions, all devices together
	Fits       bool         `json:"fits"`
}

// Finish fills in the times and whether the memory suffices.
func (p *Plan) Finish(dtype device.DType) {
	p.DType, p.Seconds = dtype.String(), 0
	for i, w := range p.Work {
		p.Work[i] = w.On(p.Machine, dtype)
		p.Seconds += p.Work[i].Limit
	}
	p.Expected = p.Seconds / p.Efficiency
	p.Fits = p.Machine.Bytes == 0 || p.Memory.Total() <= p.Machine.Bytes
}

// WriteJSON writes the plan as one JSON object.
func (p *Plan) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(p) }

// WriteText writes the plan as tables.
func (p *Plan) WriteText(w io.Writer) error {
	devices := "1 device"
	if p.Devices > 1 {
		devices = fmt.Sprintf("%d devices", p.Devices)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "%s in %s on %s of %s: %s\n\n", p.Model, p.DType, devices, p.Machine.Name, p.Job)
	fmt.Fprintf(t, "memory of each device\tGiB\t\n")
	for _, part := range []struct {
		name  string
		bytes int64
	}{
		{"weights", p.Memory.Weights}, {"masters", p.Memory.Masters}, {"gradients", p.Memory.Gradients}, {"optimizer", p.Memory.Optimizer},
		{"activations", p.Memory.Activations}, {"cache", p.Memory.Cache}, {"together", p.Memory.Total()},
	} {
		if part.bytes > 0 {
			fmt.Fprintf(t, "%s\t%.2f\t\n", part.name, float64(part.bytes)/(1<<30))
		}
	}
	if p.Machine.Bytes > 0 {
		fits := "fits"
		if !p.Fits {
			fits = "does not fit"
		}
		fmt.Fprintf(t, "there is (%s)\t%.2f\t\n", fits, float64(p.Machine.Bytes)/(1<<30))
	}
	fmt.Fprintf(t, "\ntime\tTFLOP\tGB of memory\tGB sent\ts at the limit\ts expected\t\n")
	for _, x := range p.Work {
		fmt.Fprintf(t, "%s\t%.2f\t%.1f\t%.2f\t%.4f\t%.4f\t\n", x.Name, x.Ops/1e12, x.Bytes/gb, x.Sent/gb, x.Limit, x.Limit/p.Efficiency)
	}
	fmt.Fprintf(t, "together\t\t\t\t%.4f\t%.4f\t\n", p.Seconds, p.Expected)
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%.0f tokens/s expected (%d tokens of completions), at %.0f %% of the limits of %s\n",
		float64(p.Tokens)/p.Expected, p.Tokens, 100*p.Efficiency, p.Machine.Name)
	return err
}
