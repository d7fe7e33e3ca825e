package table

import (
	"fmt"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/parquet-go/parquet-go"
	pqformat "github.com/parquet-go/parquet-go/format"

	"openrs/schemas"
)

// How a record's columns lie in Parquet: text is BYTE_ARRAY (STRING), lists are the three-level LIST,
// maps are MAP, times are TIMESTAMP(MICROS, UTC), dictionaries are text with dictionary encoding, and
// nullable columns are optional. Elements of lists and values of maps are optional too, as other Arrow
// writers make them. Kind and version are in the file's key-value metadata.

// parquetGroup is a group whose fields keep their order; the library's own sorts them by name.
type parquetGroup struct {
	parquet.Group
	names []string
}

func (g parquetGroup) Fields() []parquet.Field {
	byName := map[string]parquet.Field{}
	for _, f := range g.Group.Fields() {
		byName[f.Name()] = f
	}
	fields := make([]parquet.Field, len(g.names))
	for i, name := range g.names {
		fields[i] = byName[name]
	}
	return fields
}

// parquetSchemaOf makes the Parquet schema of an Arrow schema of this project.
func parquetSchemaOf(name string, schema *arrow.Schema) (*parquet.Schema, error) {
	root := parquetGroup{Group: parquet.Group{}}
	for _, f := range schema.Fields() {
		node, err := parquetNode(f.Type)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		if f.Nullable {
			node = parquet.Optional(node)
		}
		root.Group[f.Name] = node
		root.names = append(root.names, f.Name)
	}
	return parquet.NewSchema(name, root), nil
}

func parquetNode(typ arrow.DataType) (parquet.Node, error) {
	switch typ := typ.(type) {
	case *arrow.StringType, *arrow.DictionaryType:
		// Few problems make many rows, so dictionaries pay for all text; the writer falls back where not.
		return parquet.Encoded(parquet.String(), &parquet.RLEDictionary), nil
	case *arrow.BooleanType:
		return parquet.Leaf(parquet.BooleanType), nil
	case *arrow.Int32Type:
		return parquet.Leaf(parquet.Int32Type), nil
	case *arrow.Int64Type:
		return parquet.Leaf(parquet.Int64Type), nil
	case *arrow.Float32Type:
		return parquet.Leaf(parquet.FloatType), nil
	case *arrow.Float64Type:
		return parquet.Leaf(parquet.DoubleType), nil
	case *arrow.TimestampType:
		return parquet.Timestamp(parquet.Microsecond), nil
	case *arrow.ListType:
		elem, err := parquetNode(typ.Elem())
		if err != nil {
			return nil, err
		}
		return parquet.List(parquet.Optional(elem)), nil
	case *arrow.MapType:
		item, err := parquetNode(typ.ItemType())
		if err != nil {
			return nil, err
		}
		return parquet.Map(parquet.String(), parquet.Optional(item)), nil
	}
	return nil, fmt.Errorf("a column of type %s can't be written as Parquet", typ)
}

// parquetSchema reads which of our columns a file has, as an Arrow schema. Types that no kind has
// become null columns, which nothing accepts.
func parquetSchema(in *input) (*arrow.Schema, error) {
	f, err := openParquetFile(in)
	if err != nil {
		return nil, err
	}
	return arrowSchemaOf(f)
}

func arrowSchemaOf(f *parquet.File) (*arrow.Schema, error) {
	var fields []arrow.Field
	for _, c := range f.Root().Columns() {
		fields = append(fields, arrow.Field{Name: c.Name(), Type: arrowTypeOf(c), Nullable: c.Optional()})
	}
	var keys, values []string
	for _, key := range []string{schemas.MetadataKind, schemas.MetadataVersion} {
		if v, ok := f.Lookup(key); ok {
			keys, values = append(keys, key), append(values, v)
		}
	}
	meta := arrow.NewMetadata(keys, values)
	return arrow.NewSchema(fields, &meta), nil
}

// arrowTypeOf is the Arrow type as which a column can be read.
func arrowTypeOf(c *parquet.Column) arrow.DataType {
	if c.Repeated() {
		return arrow.Null
	}
	if c.Leaf() {
		return leafType(c.Type())
	}
	group, leaves := repeatedLeaves(c)
	switch {
	case group == nil:
		return arrow.Null
	case len(leaves) == 1 && isLogical[*pqformat.ListType](c):
		return arrow.ListOf(leafType(leaves[0].Type()))
	case len(leaves) == 2 && isLogical[*pqformat.MapType](c):
		return arrow.MapOf(leafType(leaves[0].Type()), leafType(leaves[1].Type()))
	}
	return arrow.Null
}

// repeatedLeaves finds the one repeated node in a LIST or MAP and the leaves in it. Lists of two levels,
// where the repeated node is the element, come from old writers.
func repeatedLeaves(c *parquet.Column) (repeated *parquet.Column, leaves []*parquet.Column) {
	if len(c.Columns()) != 1 || !c.Columns()[0].Repeated() {
		return nil, nil
	}
	repeated = c.Columns()[0]
	if repeated.Leaf() {
		return repeated, []*parquet.Column{repeated}
	}
	for _, leaf := range repeated.Columns() {
		if !leaf.Leaf() || leaf.Repeated() {
			return nil, nil
		}
		leaves = append(leaves, leaf)
	}
	return repeated, leaves
}

func isLogical[T any](n parquet.Node) bool {
	lt := n.Type().LogicalType()
	if lt == nil {
		return false
	}
	_, ok := lt.Value.(T)
	return ok
}

func leafType(t parquet.Type) arrow.DataType {
	var logical any
	if lt := t.LogicalType(); lt != nil {
		logical = lt.Value
	}
	switch l := logical.(type) {
	case nil:
	case *pqformat.StringType, *pqformat.EnumType, *pqformat.JsonType:
		return arrow.BinaryTypes.String
	case *pqformat.IntType:
		if !l.IsSigned || l.BitWidth != 32 && l.BitWidth != 64 {
			return arrow.Null
		}
	case *pqformat.TimestampType:
		typ := &arrow.TimestampType{}
		if l.IsAdjustedToUTC {
			typ.TimeZone = "UTC"
		}
		switch l.Unit.Value.(type) {
		case *pqformat.MicroSeconds:
			typ.Unit = arrow.Microsecond
		case *pqformat.MilliSeconds:
			typ.Unit = arrow.Millisecond
		default:
			typ.Unit = arrow.Nanosecond
		}
		return typ
	default:
		return arrow.Null
	}
	switch t.Kind() {
	case parquet.Boolean:
		return arrow.FixedWidthTypes.Boolean
	case parquet.Int32:
		return arrow.PrimitiveTypes.Int32
	case parquet.Int64:
		return arrow.PrimitiveTypes.Int64
	case parquet.Float:
		return arrow.PrimitiveTypes.Float32
	case parquet.Double:
		return arrow.PrimitiveTypes.Float64
	case parquet.ByteArray:
		return arrow.BinaryTypes.String // some writers leave the mark out; the text is checked when read
	}
	return arrow.Null
}

// checkParquet is [schemas.Check] for a Parquet file. Tools that rewrite Parquet files drop metadata
// which they don't know, so a file without any is judged by its columns alone.
func checkParquet(schema *arrow.Schema, kind schemas.Kind) error {
	if schema.Metadata().Len() > 0 {
		return schemas.Check(schema, kind)
	}
	wanted, err := schemas.Schema(kind)
	if err != nil {
		return err
	}
	return schemas.CheckColumns(schema, wanted)
}

func kindMetadata(kind schemas.Kind) []parquet.WriterOption {
	return []parquet.WriterOption{
		parquet.KeyValueMetadata(schemas.MetadataKind, string(kind)),
		parquet.KeyValueMetadata(schemas.MetadataVersion, strconv.Itoa(schemas.Version)),
	}
}
