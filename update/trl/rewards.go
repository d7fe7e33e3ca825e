package trl

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// function is a reward function of open-r1, open-rs or TRL as score has it.
type function struct {
	name   string            // here
	params map[string]string // parameter here: key of the file
	order  []string          // of params
	fixed  string            // parameter=value that its definition has
	why    string            // a remark
}

// functions are the reward functions by their names in reward_funcs.
func functions(study bool) map[string]function {
	tags := "tags=4"
	form := "ours takes any answer after </think>, open-r1's asks for <answer> tags"
	if study {
		tags, form = "tags=2", "ours asks for one closed thought and an answer; think_closed is open-rs' own"
	}
	overlong := function{name: "soft_overlong_punishment", order: []string{"max_completion_len", "soft_punish_cache"},
		params: map[string]string{"max_completion_len": "max_completion_len", "soft_punish_cache": "soft_punish_cache"}}
	repetition := function{name: "repetition_penalty", order: []string{"ngram_size", "max_penalty"},
		params: map[string]string{"ngram_size": "repetition_n_grams", "max_penalty": "repetition_max_penalty"}}
	return map[string]function{
		"accuracy":                 {name: "accuracy"},
		"format":                   {name: "format", why: form},
		"tag_count":                {name: "tag_count", fixed: tags},
		"reasoning_steps":          {name: "reasoning_steps"},
		"length":                   {name: "length", why: "in tokens"},
		"repetition_penalty":       repetition,
		"soft_overlong_punishment": overlong,
		"cosine": {name: "cosine", order: []string{"max_len", "min_correct", "max_correct", "min_wrong", "max_wrong"}, why: "in tokens and clamped, open-r1's is in characters and is not", params: map[string]string{
			"max_len": "cosine_max_len", "min_correct": "cosine_min_value_correct", "max_correct": "cosine_max_value_correct",
			"min_wrong": "cosine_min_value_wrong", "max_wrong": "cosine_max_value_wrong",
		}},
		"accuracy_reward":              {name: "accuracy"},
		"reasoning_accuracy_reward":    {name: "reasoning_accuracy"},
		"think_format_reward":          {name: "format"},
		"get_soft_overlong_punishment": {name: "soft_overlong_punishment", fixed: "max_completion_len=1280,soft_punish_cache=256"},
	}
}

// rewards is score's list of functions, with weights and parameters.
func rewards(c *conversion) error {
	names, cite := []string{"accuracy", "format", "tag_count"}, "reward_funcs' default in open-r1"
	if v := c.given["reward_funcs"]; v != nil {
		if v.list == nil && v.node.Kind != yaml.ScalarNode && v.text != "[]" {
			return v.wrong("a list of names")
		}
		names, cite = v.list, "reward_funcs"
	}
	weights, err := c.weights(len(names))
	if err != nil {
		return err
	}
	if c.given["reward_weights"] != nil {
		cite += ", reward_weights"
	}
	used := map[string]bool{}
	known := functions(c.version.String() == studyVersion)
	var specs, whys []string
	for i, name := range names {
		f, ok := known[name]
		if !ok {
			c.unsupported(&value{key: "reward_funcs", text: name}, "no such reward: score --help lists them, exec:COMMAND runs yours")
			continue
		}
		if used[f.name] {
			return c.given["reward_funcs"].wrong("each reward once")
		}
		used[f.name] = true
		spec := f.name + "=" + weights[i]
		mark := ":"
		for _, p := range f.order {
			v, _ := c.get(f.params[p])
			if _, _, err := c.number(v.key); err != nil {
				return err
			}
			spec += mark + p + "=" + v.text
			mark = ","
			used[v.key] = true
		}
		if f.fixed != "" {
			spec += ":" + f.fixed
		}
		specs = append(specs, spec)
		if f.why != "" {
			whys = append(whys, name+": "+f.why)
		}
	}
	if len(specs) > 0 {
		c.emitList("score.reward", cite, specs)
	}
	for _, r := range c.table {
		if v := c.given[r.key]; r.part == partRewards && v != nil && v.key != "reward_funcs" && v.key != "reward_weights" && v.key != "scale_rewards" && !used[v.key] {
			c.ignore(v, "of a reward that is not used")
		}
	}
	for _, w := range whys {
		c.remark("score", w)
	}
	c.remark("score", `prefix: "<think>\n"   where the chat template already begins the answer with it`)
	if c.version.String() == studyVersion {
		c.remark("score", "compat: open-rs   instead: the study's rewards with their mistakes, formulas as published")
	}
	return c.scale()
}

// weights are the reward functions' weights as they are written.
func (c *conversion) weights(n int) ([]string, error) {
	v := c.given["reward_weights"]
	if v == nil {
		weights := make([]string, n)
		for i := range weights {
			weights[i] = "1"
		}
		return weights, nil
	}
	if len(v.list) != n {
		return nil, v.wrong("as many weights as reward_funcs, " + strconv.Itoa(n))
	}
	var weights []string
	for _, w := range v.list {
		f, err := strconv.ParseFloat(w, 64)
		if err != nil || !(f >= -1e9 && f <= 1e9) {
			return nil, v.wrong("a list of numbers")
		}
		weights = append(weights, strconv.FormatFloat(f, 'g', -1, 64))
	}
	return weights, nil
}

// scale is what advantages are divided by.
func (c *conversion) scale() error {
	v := c.given["scale_rewards"]
	if v == nil {
		return nil
	}
	scales := map[string]string{"true": "group", "group": "group", "false": "none", "none": "none", "batch": "batch"}
	scale, ok := scales[strings.ToLower(v.text)]
	if !ok {
		return v.wrong("true, false, group, batch or none")
	}
	why := ""
	if scale == "batch" {
		why = "of a message of the stream, not of the whole step"
	}
	c.emit("score.scale-rewards", v.key, why, scale)
	return nil
}
