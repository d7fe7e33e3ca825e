// Package pipelines holds what composes the five binaries: the shell pipelines, their recipes, and the
// end-to-end tests. It has no code of its own to import.
//
// The tests know the binaries only as processes: they build them, run them against a real nats-server
// or as a shell pipeline, and look at exit statuses, standard error and the files that come out.
//
//	pipeline_test.go   a run over JetStream, and what may not change its results
//	crash_test.go      processes and server killed at random moments
//	resume_test.go     stopping and going on; training and scoring again from what a run recorded
//	compose_test.go    stages without a server: pipes and files
//	study_test.go      the experiments of the open-rs study at a small scale, their recipes, and recipes made of TRL's
//	badinput_test.go   what a user reads when something is wrong
//	badstream_test.go  the same in a run: damaged messages, stages that disagree
//	cuda_test.go       runs on several GPUs (with the build tag cuda: stages/device/cuda/test.sh -run GPU ./pipelines)
//
// Start with process_test.go (one process), server_test.go (one nats-server) and training_test.go (the
// five processes of a run).
package pipelines
