// Package ledger keeps account of the rows that were taken out: one [Entry] each, in the order in which
// they were, as a file of Parquet or JSON lines that appears when it is complete.
//
// The other row that an entry names is the one that stayed at that step; a later step may have taken it out
// for a reason of its own, with an entry of its own.
//
// Together with the rows that are left a ledger explains every row that was read: nothing is lost
// without an entry.
package ledger
