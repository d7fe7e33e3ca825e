package trl

import (
	"slices"
	"strconv"
	"strings"
)

// adapter is LoRA's settings, which count only with use_peft.
func adapter(c *conversion) error {
	on := c.given["use_peft"]
	if on == nil || on.text != "true" {
		for _, r := range c.table {
			if v := c.given[r.key]; v != nil && r.part == partAdapter {
				c.ignore(v, "use_peft is off")
			}
		}
		return nil
	}
	rank, rankCite, err := c.count("lora_r", 1)
	if err != nil {
		return err
	}
	c.emit("update.lora-rank", "use_peft, "+rankCite, "", strconv.FormatInt(rank, 10))
	for _, key := range []string{"lora_alpha", "lora_dropout"} {
		if _, _, err := c.number(key); err != nil {
			return err
		}
		v, cite := c.get(key)
		c.emit("update."+strings.ReplaceAll(key, "_", "-"), cite, "", v.text)
	}
	for _, key := range []string{"use_rslora", "use_dora", "lora_modules_to_save", "lora_target_parameters"} {
		if v := c.given[key]; v != nil && (slices.Contains(no, v.text) || slices.Contains(none, v.text)) {
			c.ignore(v, "off")
		} else if v != nil {
			c.unsupported(v, "adapters are LoRA's on projections, scaled by alpha/rank")
		}
	}
	return targets(c)
}

// projections are what adapters can be on; the first two are peft's default for these models.
var projections = []string{"q_proj", "v_proj", "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}

// targets is which projections have adapters.
func targets(c *conversion) error {
	v := c.given["lora_target_modules"]
	if v == nil {
		c.emitList("update.lora-targets", "lora_target_modules' default in peft", projections[:2])
		return nil
	}
	if len(v.list) == 1 && v.list[0] == "all-linear" {
		c.emitList("update.lora-targets", v.key, projections)
		return nil
	}
	var known, unknown []string
	for _, name := range v.list {
		switch {
		case !slices.Contains(projections, name):
			unknown = append(unknown, name)
		case !slices.Contains(known, name):
			known = append(known, name)
		}
	}
	if unknown != nil {
		c.unsupported(&value{key: v.key, text: strings.Join(unknown, ", ")}, "expected some of "+strings.Join(projections, ", "))
	}
	if known != nil {
		c.emitList("update.lora-targets", v.key, known)
	} else if unknown == nil {
		c.ignore(v, "empty: all projections")
	}
	return nil
}
