// Package parallel shares a training step among the devices of one process: it sums their gradients part
// by part and gathers the parameters that each has updated, as ZeRO does with optimizer state (Rajbhandari
// et al., arXiv 1910.02054, stages 1 and 2).
//
// A step is divided into shards of its groups, one for each device. The sum of a value over the shards
// is always ((shard 0 + shard 1) + shard 2) + …, whichever device adds it up, so that one device which
// computes all shards after each other gets the same bits as many which compute one each.
//
// Devices that implement [device.Peer] read each other's memory; between others the values pass through
// the host. Which of the two is used is measured when an [Exchange] is made. Start reading at [Exchange].
package parallel
