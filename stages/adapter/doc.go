// Package adapter reads and writes folders of LoRA adapters as PEFT lays them out: adapter_config.json, which
// says how the adapters are used and on which model, and adapter_model.safetensors, which holds the two
// matrices of each projection.
//
// Start with [Open] and [Files]; [Config] is the configuration. A field that asks for something that is not
// done here (DoRA, ranks that differ by layer, further modules, …) is refused by name. What adapters compute is
// the business of stages/model ([model.LoRA]); [Flags] are the flags of commands that train them.
package adapter
