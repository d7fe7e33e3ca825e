package main

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"openrs/stages"
	"openrs/update/train"
)

// settingsOf are the command's settings as a checkpoint records them, the number of shards as it came out.
func settingsOf(env *stages.Env, t *train.Trainer) map[string]string {
	out := map[string]string{}
	for _, s := range env.Settings {
		out[s.Name] = s.Value
	}
	out["gradient-shards"] = strconv.Itoa(t.Shards())
	return out
}

// changed names the settings that are not what they were and that change what is trained, in order.
func changed(before, now map[string]string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		was, known := before[name]
		if known && decisive(name, was) != decisive(name, now[name]) {
			names = append(names, name)
		}
	}
	return names
}

// decisive is what of a setting's value decides what is trained: of the devices, their kind. How many there
// are matters by the number of shards alone.
func decisive(name, value string) string {
	if slices.Contains(freeSettings(), name) {
		return ""
	}
	if name == "device" {
		value, _, _ = strings.Cut(value, ":")
	}
	return value
}

// freeSettings may change over an interruption without changing what is trained.
func freeSettings() []string {
	return []string{"resume", "nats", "nats-creds", "nats-nkey", "nats-tls-ca", "nats-tls-cert", "nats-tls-key", "metrics-addr",
		"config", "log-format", "log-level", "threads", "recompute", "checkpoint-every", "keep-checkpoints", "save-dtype", "merge", "runs-dir", "dir"}
}
