package device

// PackRows is the number of rows of a [Weight] that a [RowPacker] packs together.
const PackRows = 32

// RowPacker is implemented by devices that pack a weight some rows at a time, so that loading a model
// takes no second copy of a matrix. w was made without grad, and all its rows make the weight that
// [Memory].Pack makes of the same values. The first row, from, is a multiple of [PackRows], and so is the
// number of rows unless they are w's last.
type RowPacker interface {
	// PackRows stores t as rows [from, from+t.Rows) of w.
	PackRows(w Weight, from int, t Tensor)
	// PackBF16Rows stores the bfloat16 values of a checkpoint, row-major and two bytes each, the lower
	// first, as the rows of w from that row on. w is of BF16.
	PackBF16Rows(w Weight, from int, values []byte)
}
