package trl

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"openrs/update/grpo"
	"openrs/update/optim"
)

// derivations are what takes more than one key, in an order in which each has what it needs.
func derivations() []func(*conversion) error {
	return []func(*conversion) error{matrixType, adapter, batch, steps, sampling, rewards, loss, schedule, saving}
}

// matrixType is the type of matrices: what the model is loaded in, or else what training casts to.
func matrixType(c *conversion) error {
	names := map[string]string{"bfloat16": "bf16", "torch.bfloat16": "bf16", "float32": "f32", "torch.float32": "f32"}
	found := false
	for _, key := range []string{"torch_dtype", "dtype"} {
		v := c.given[key]
		if v == nil {
			continue
		}
		switch name, ok := names[v.text]; {
		case v.text == "auto":
			c.ignore(v, "the model's own: see --dtype")
		case !ok:
			c.unsupported(v, "matrices are f32 or bf16")
		case found:
			c.ignore(v, "torch_dtype is set, too")
		default:
			found = true
			c.emit("common.dtype", key, "matrices; gradients, moments and masters are float32", name)
		}
	}
	if v := c.given["bf16"]; v != nil {
		if v.text == "true" && !found {
			found = true
			c.emit("common.dtype", "bf16", "matrices; gradients, moments and masters are float32", "bf16")
		} else {
			c.ignore(v, "--dtype has the type of matrices")
		}
	}
	if v := c.given["fp16"]; v != nil {
		if v.text == "true" {
			c.unsupported(v, "matrices are f32 or bf16")
		} else {
			c.ignore(v, "off")
		}
	}
	return nil
}

// batch is how many problems, and completions of each, make a step.
func batch(c *conversion) error {
	var n [3]int64
	var cites [3]string
	var err error
	for i, key := range []string{"per_device_train_batch_size", "gradient_accumulation_steps", "num_generations"} {
		if n[i], cites[i], err = c.count(key, 1); err != nil {
			return err
		}
	}
	each, accumulation, group := n[0], n[1], n[2]
	processes := int64(c.opt.Processes)
	if each > math.MaxInt32/accumulation || each*accumulation > math.MaxInt32/processes {
		return fmt.Errorf("%d × %d × %d completions a step are too many", each, processes, accumulation)
	}
	completions := each * processes * accumulation
	if completions%group != 0 {
		return fmt.Errorf("a step's %d completions (%s %d × %d processes × %s %d) are no multiple of %s %d: is the number of processes right",
			completions, cites[0], each, processes, cites[1], accumulation, cites[2], group)
	}
	c.groups = completions / group
	c.emit("common.group-size", cites[2], "", strconv.FormatInt(group, 10))
	c.emit("common.groups-per-step", fmt.Sprintf("%s %d × %d processes × %s %d / num_generations %d", cites[0], each, processes, cites[1], accumulation, group), "",
		strconv.FormatInt(c.groups, 10))
	for _, other := range []struct {
		key  string
		same int64
	}{{"steps_per_generation", accumulation}, {"generation_batch_size", completions}} {
		v := c.given[other.key]
		switch {
		case v == nil:
		case v.text == strconv.FormatInt(other.same, 10):
			c.ignore(v, "each step samples its own completions, as here")
		default:
			c.unsupported(v, "each step samples its own completions: --num-iterations makes several updates of them, --max-lag overlaps")
		}
	}
	if kind, _ := c.get("loss_type"); kind.text == "bnpo" && each < completions {
		c.emit("update.micro-batch", cites[0], "the completions that TRL's mean over tokens is over, before the mean over micro-batches", strconv.FormatInt(each, 10))
	}
	return nil
}

// steps is how long the run is.
func steps(c *conversion) error {
	seed, cite := c.get("seed")
	c.emit("common.seed", cite, "", seed.text)
	shuffle, cite := c.get("shuffle_dataset")
	c.emit("curate.shuffle", cite, "", shuffle.text)
	epochs, epochsCite, err := c.number("num_train_epochs")
	if err != nil {
		return err
	}
	limit, limitCite, err := c.count("max_steps", -1)
	if err != nil {
		return err
	}
	if epochs < 0 || epochs > 1e6 {
		return fmt.Errorf("%s is %v, expected 0 to a million", epochsCite, epochs)
	}
	perEpoch := max(1, c.opt.Rows/c.groups)
	whole := int64(math.Ceil(epochs))
	switch {
	case limit > 0:
		c.steps = limit
		c.emit("common.steps", limitCite, "", strconv.FormatInt(limit, 10))
		if c.opt.Rows > 0 {
			whole = (limit*c.groups + c.opt.Rows - 1) / c.opt.Rows
			epochsCite = fmt.Sprintf("%d steps of %d problems, of %d", limit, c.groups, c.opt.Rows)
		} else {
			whole = 0
		}
		if v := c.given["num_train_epochs"]; v != nil {
			c.ignore(v, "max_steps decides")
		}
	case c.opt.Rows > 0:
		c.steps = int64(math.Ceil(epochs * float64(perEpoch)))
		if v := c.given["max_steps"]; v != nil {
			c.ignore(v, "num_train_epochs decides")
		}
		c.emit("common.steps", fmt.Sprintf("%s %v of %d problems", epochsCite, epochs, c.opt.Rows), "", strconv.FormatInt(c.steps, 10))
	default:
		v, _ := c.get("max_steps")
		c.unsupported(v, "how many steps an epoch has depends on the data: say how many rows it has, or set steps")
		if v := c.given["num_train_epochs"]; v != nil && whole < 1 {
			c.ignore(v, "no epoch")
		}
	}
	if whole > 0 {
		c.emit("curate.epochs", epochsCite, "", strconv.FormatInt(whole, 10))
	}
	return nil
}

// sampling is the sampler's settings, and at which temperature log-probabilities were taken.
func sampling(c *conversion) error {
	temperature, cite, err := c.number("temperature")
	if err != nil {
		return err
	}
	v, _ := c.get("temperature")
	c.emit("generate.temperature", cite, "", v.text)
	if !c.version.atLeast(0, 16, 0) && temperature != 1 {
		c.emit("update.temperature", "TRL "+c.version.String(), "before 0.16 log-probabilities were taken at 1, whatever was sampled at; without this line they are taken as sampled", "1")
	}
	length, lengthCite, err := c.count("max_completion_length", 1)
	if err != nil {
		return err
	}
	c.emit("generate.max-new-tokens", lengthCite, "", strconv.FormatInt(length, 10))
	if v := c.given["top_p"]; v != nil {
		if p, _, _ := c.number("top_p"); p > 0 && p < 1 {
			c.emit("generate.top-p", "top_p", "", v.text)
		} else {
			c.ignore(v, "off")
		}
	}
	k, cite := c.get("top_k")
	if n, err := strconv.ParseInt(k.text, 10, 32); err == nil && n > 0 {
		c.emit("generate.top-k", cite, "", k.text)
	} else if c.given["top_k"] != nil {
		c.ignore(k, "off")
	}
	return nil
}

// loss is the objective.
func loss(c *conversion) error {
	kind, cite := c.get("loss_type")
	if slices.Contains(grpo.LossTypes(), kind.text) {
		c.emit("update.loss", cite, "", kind.text)
	} else {
		c.unsupported(kind, "expected one of "+strings.Join(grpo.LossTypes(), ", "))
	}
	if kind.text == "dr_grpo" {
		length, cite := c.get("max_completion_length")
		c.emit("update.max-completion-length", cite, "the constant of dr_grpo", length.text)
	}
	for _, key := range []string{"beta", "epsilon"} {
		if _, _, err := c.number(key); err != nil {
			return err
		}
		v, cite := c.get(key)
		c.emit("update."+key, cite, "", v.text)
	}
	if v := c.given["importance_sampling_level"]; v != nil {
		if v.text == grpo.RatioToken || v.text == grpo.RatioSequence {
			c.emit("update.importance-sampling-level", v.key, "", v.text)
		} else {
			c.unsupported(v, "expected token or sequence")
		}
	}
	return nil
}

// schedule is the learning rate.
func schedule(c *conversion) error {
	rate, cite, err := c.number("learning_rate")
	if err != nil {
		return err
	}
	v, _ := c.get("learning_rate")
	c.emit("update.lr", cite, "", v.text)
	name, cite := c.get("lr_scheduler_type")
	known := slices.Contains(optim.ScheduleNames(), name.text)
	if known {
		c.emit("update.schedule", cite, "", name.text)
	} else {
		c.unsupported(name, "expected one of "+strings.Join(optim.ScheduleNames(), ", "))
	}
	if err := scheduleArguments(c, name.text, rate); err != nil {
		return err
	}
	return warmup(c, known && name.text != "constant")
}

// scheduleArguments reads lr_scheduler_kwargs, a mapping or its JSON.
func scheduleArguments(c *conversion, schedule string, rate float64) error {
	v := c.given["lr_scheduler_kwargs"]
	if v == nil {
		return nil
	}
	var arguments map[string]any
	var err error
	if v.node.Kind == yaml.ScalarNode {
		err = yaml.Unmarshal([]byte(v.text), &arguments)
	} else {
		err = v.node.Decode(&arguments)
	}
	if err != nil {
		return v.wrong("keys and values")
	}
	if len(arguments) == 0 {
		c.ignore(v, "empty")
	}
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		key := v.key + "." + oneLine(name, 40)
		note := &value{key: key, text: fmt.Sprint(arguments[name])}
		f, err := strconv.ParseFloat(note.text, 64)
		minimum := math.NaN()
		switch {
		case err != nil:
		case name == "min_lr_rate":
			minimum = f
		case name == "min_lr" && rate > 0:
			minimum = f / rate
		}
		switch {
		case schedule == "cosine_with_min_lr" && minimum >= 0 && minimum <= 1:
			c.emit("update.min-lr-ratio", key, "", strconv.FormatFloat(minimum, 'g', 12, 64))
		case name == "num_cycles" && f == 0.5:
			c.ignore(note, "half a cosine, as here")
		default:
			c.unsupported(note, "not of a schedule here")
		}
	}
	return nil
}

// warmup is the steps in which the rate rises: a number of them, or a share.
func warmup(c *conversion, rises bool) error {
	number, numberCite, err := c.number("warmup_steps")
	if err != nil {
		return err
	}
	share, shareCite, err := c.number("warmup_ratio")
	if err != nil {
		return err
	}
	cite, key := shareCite, "warmup_ratio"
	if number > 0 {
		cite, key = numberCite, "warmup_steps"
		if share = number; number >= 1 {
			share = 0
		}
	}
	for _, k := range []string{"warmup_ratio", "warmup_steps"} {
		switch v := c.given[k]; {
		case v == nil:
		case !rises:
			c.ignore(v, "this schedule has no warm-up")
		case k != key:
			c.ignore(v, key+" decides")
		case number < 1 && share == 0:
			c.ignore(v, "no warm-up")
		}
	}
	v, _ := c.get(key)
	switch {
	case !rises || number < 1 && share == 0:
	case number < 0 || number > math.MaxInt32 || share < 0 || share > 1:
		return v.wrong("a number of steps, or a share of them")
	case number >= 1:
		c.emit("update.warmup-steps", cite, "", strconv.FormatInt(int64(math.Ceil(number)), 10))
	case c.steps == 0:
		c.unsupported(v, "a share of a number of steps that is not known")
	default:
		c.emit("update.warmup-steps", fmt.Sprintf("%s %v of %d steps", cite, share, c.steps), "", strconv.FormatInt(optim.WarmupSteps(share, c.steps), 10))
	}
	return nil
}

// saving is how often a checkpoint is written. There is always one at the end.
func saving(c *conversion) error {
	strategy, cite := c.get("save_strategy")
	every, everyCite, err := c.number("save_steps")
	if err != nil {
		return err
	}
	v, _ := c.get("save_steps")
	epochs, _, err := c.number("num_train_epochs")
	if err != nil {
		return err
	}
	limit, _ := c.get("max_steps")
	if c.given["save_steps"] != nil && strategy.text != "steps" {
		c.ignore(v, "save_strategy decides")
	}
	if c.given["save_strategy"] != nil {
		everyCite = "save_strategy, " + everyCite
	}
	switch {
	case strategy.text == "no":
		c.emit("update.checkpoint-every", cite, "one at the end", "0")
	case strategy.text == "steps" && (every <= 0 || every > math.MaxInt32):
		return v.wrong("a number of steps, or a share of them")
	case strategy.text == "steps" && every >= 1:
		c.emit("update.checkpoint-every", everyCite, "", strconv.FormatInt(int64(math.Ceil(every)), 10))
	case strategy.text == "steps" && c.steps > 0:
		c.emit("update.checkpoint-every", fmt.Sprintf("%s %v of %d steps", everyCite, every, c.steps), "", strconv.FormatInt(int64(math.Ceil(every*float64(c.steps))), 10))
	case strategy.text == "steps":
		c.unsupported(v, "a share of a number of steps that is not known")
	case strategy.text == "epoch" && c.opt.Rows > 0:
		c.emit("update.checkpoint-every", cite, fmt.Sprintf("an epoch of %d problems", c.opt.Rows), strconv.FormatInt(max(1, c.opt.Rows/c.groups), 10))
	case strategy.text == "epoch" && epochs <= 1 && strings.HasPrefix(limit.text, "-"):
		c.emit("update.checkpoint-every", cite, "the only epoch's end is the run's", "0")
	default:
		c.unsupported(strategy, "checkpoints are written after a number of steps, and at the end")
	}
	return nil
}
