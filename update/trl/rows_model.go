package trl

import "slices"

// modelRows are the keys of TRL's ModelConfig.
func modelRows() []row {
	return slices.Concat(
		[]row{
			{key: "model_name_or_path", kind: text, to: "common.model", why: "a folder on this machine: nothing is fetched"},
			{key: "model_revision", why: "the folder is of one revision"},
		},
		derived(partType, text, "torch_dtype", "dtype"),
		derived(partType, truth, "bf16", "fp16"),
		reason("the model's code is here", "trust_remote_code"),
		reason("there is one attention, without padding", "attn_implementation"),
		derived(partAdapter, truth, "use_peft"),
		derived(partAdapter, whole, "lora_r"),
		derived(partAdapter, number, "lora_alpha", "lora_dropout"),
		derived(partAdapter, words, "lora_target_modules"),
		derived(partAdapter, anything, "use_rslora", "use_dora", "lora_modules_to_save", "lora_target_parameters"),
		reason("the task is causal language modelling", "lora_task_type"),
		unless(no, "no quantised weights: f32 or bf16", "load_in_8bit", "load_in_4bit"),
		reason("of quantised weights, which there are none of", "bnb_4bit_quant_type", "bnb_4bit_quant_storage", "use_bnb_nested_quant"),
		unless(none, "settings of transformers' loader", "model_init_kwargs"),
	)
}

// dataRows are the keys that name data sets and prompts: TRL's ScriptArguments and open-r1's additions.
func dataRows() []row {
	return slices.Concat(
		reason("give curate the data set's files: --in FILE, or sources in a recipe", "dataset_name", "dataset_config", "dataset_train_split", "dataset_split"),
		reason("evaluate has its own benchmarks", "dataset_test_split"),
		reason("curate reads in bounded memory anyway", "dataset_streaming", "streaming", "dataset_num_proc"),
		[]row{
			{key: "dataset_prompt_column", kind: text, to: "curate.column-problem"},
			{key: "system_prompt", kind: text, to: "generate.system"},
		},
		unless(none, "curate mixes: sources and the step mix of its recipe", "dataset_mixture", "datasets", "test_split_size"),
		unless(none, "the model folder's own template counts: put it into a copy of its tokenizer_config.json", "chat_template"),
		unless(none, "variables of the chat template", "chat_template_kwargs"),
		reason("a mask of BERT-like models", "ignore_bias_buffers"),
	)
}
