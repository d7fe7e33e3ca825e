package trl

import "slices"

// grpoRows are the keys of TRL's GRPOConfig, from 0.14 to 1.9.
func grpoRows() []row {
	return slices.Concat(
		[]row{
			{key: "num_iterations", kind: natural, to: "update.num-iterations"},
			{key: "epsilon_high", kind: number, to: "update.epsilon-high"},
			{key: "delta", kind: number, to: "update.delta"},
			{key: "min_p", kind: number, to: "generate.min-p"},
		},
		derived(partBatch, whole, "num_generations", "steps_per_generation", "generation_batch_size"),
		derived(partSampling, number, "temperature", "top_p"),
		derived(partSampling, whole, "top_k", "max_completion_length"),
		derived(partLoss, text, "loss_type", "importance_sampling_level"),
		derived(partLoss, number, "beta", "epsilon"),
		derived(partRewards, anything, "reward_funcs", "reward_weights"),
		derived(partRewards, text, "scale_rewards"),
		[]row{
			{key: "max_prompt_length", off: none, why: "a prompt is never cut, as TRL cuts off its beginning: let curate drop longer ones (step length)"},
			{key: "repetition_penalty", off: []string{"", "1", "1.0"}, why: "it would make sampling and training disagree"},
			{key: "mask_truncated_completions", off: no, why: "completions cut off at the limit take part in the loss"},
			{key: "sync_ref_model", off: no, why: "the reference stays the model that training began with"},
			{key: "top_entropy_quantile", off: []string{"", "1", "1.0"}, why: "every token takes part in the loss"},
			{key: "use_bias_correction_kl", off: no, why: "the divergence is the plain k3 estimate"},
			{key: "off_policy_mask_threshold", off: none, why: "nothing is masked: --max-lag bounds how far off-policy a run gets"},
			{key: "multi_objective_aggregation", off: []string{"", "sum_then_normalize"}, why: "rewards are summed, then normalised"},
			{key: "entropy_coef", off: no, why: "there is no entropy bonus"},
			{key: "use_adaptive_entropy", off: no, why: "there is no entropy bonus"},
			{key: "generation_kwargs", off: none, why: "settings of vLLM's or transformers' sampler"},
			{key: "vllm_guided_decoding_regex", off: none, why: "sampling is not guided"},
			{key: "vllm_structured_outputs_regex", off: none, why: "sampling is not guided"},
			{key: "max_tool_calling_iterations", off: none, why: "there are no tools"},
			{key: "cast_lm_head_to_fp32", off: no, why: "the head has the type of the matrices; logits and log-probabilities are float32"},
		},
		reason("of the reference's synchronisation, which there is none of", "ref_model_mixup_alpha", "ref_model_sync_steps"),
		reason("of the entropy bonus, which there is none of", "entropy_coef_min", "entropy_coef_max", "entropy_coef_delta", "entropy_target"),
		reason("of another loss", "sapo_temperature_neg", "sapo_temperature_pos", "vespo_k_pos", "vespo_lambda_pos", "vespo_k_neg", "vespo_lambda_neg", "router_aux_loss_coef"),
		reason("generate is the sampler", "use_vllm", "use_transformers_paged", "use_transformers_continuous_batching", "transformers_continuous_batching_config", "cache_implementation",
			"vllm_mode", "vllm_model_impl", "vllm_server_base_url", "vllm_server_host", "vllm_server_port", "vllm_server_timeout", "vllm_group_port", "vllm_tensor_parallel_size", "vllm_enable_sleep_mode"),
		reason("generate's --device", "vllm_device"),
		reason("generate plans its memory: --max-sequences, --cache-tokens", "vllm_gpu_memory_utilization", "vllm_max_model_len", "vllm_max_model_length", "vllm_dtype", "vllm_enforce_eager"),
		reason("a group's prompt is computed once", "vllm_enable_prefix_caching"),
		reason("sampling and training are the same bits: there is nothing to correct", "vllm_importance_sampling_correction", "vllm_importance_sampling_mode",
			"vllm_importance_sampling_cap", "vllm_importance_sampling_clip_max", "vllm_importance_sampling_clip_min"),
		reason("how the loss is computed, with the same result", "use_liger_loss", "use_liger_kernel"),
		reason("of ZeRO-3", "ds3_gather_for_generation"),
		reason("completions are in the run's streams", "log_completions", "log_completions_hub_repo", "num_completions_to_print", "wandb_log_unique_prompts", "log_unique_prompts", "log_multimodal"),
		reason("completions go through the model without padding", "pad_to_multiple_of"),
		reason("these models have no dropout", "disable_dropout"),
		reason("of evaluation while training, which is evaluate's", "num_generations_eval"),
	)
}

// scriptRows are the arguments of open-r1's and open-rs' grpo.py beyond the data set.
func scriptRows() []row {
	return slices.Concat(
		derived(partRewards, number, "cosine_min_value_wrong", "cosine_max_value_wrong", "cosine_min_value_correct", "cosine_max_value_correct", "cosine_max_len", "repetition_max_penalty"),
		derived(partRewards, whole, "repetition_n_grams", "max_completion_len", "soft_punish_cache"),
		reason("of rewards that execute code, which there are none of", "code_language", "code_eval_test_batch_size", "code_eval_scoring_mode", "parallel_code_exec_per_proc",
			"e2b_router_url", "morph_router_url", "code_provider", "ioi_provider"),
		unless(none, "score's rewards are functions; a model can be one as exec:COMMAND", "reward_model_name_or_path"),
		unless(none, "nothing is called back", "callbacks"),
		reason("evaluate measures checkpoints", "benchmarks"),
	)
}
