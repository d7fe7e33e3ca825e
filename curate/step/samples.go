package step

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"openrs/curate/load"
	"openrs/schemas"
	"openrs/stages/table"
)

// id identifies a problem by its text, whatever source it is said to come from: a data set may be read
// under several names, and samples of its problems are worth the same for all.
type id [16]byte

func idOf(problem string) id {
	h := sha256.Sum256([]byte(problem))
	return id(h[:16])
}

// sampled is one sample of a problem. Its texts are valid until the next one.
type sampled struct {
	problem    string // its text
	completion string
	correct    *bool    // nil when it was not judged, and in rollouts that were not scored
	reward     *float64 // likewise
}

// eachSample reads the samples in files of rollouts or scored rollouts. Completions that could not be
// made are passed over.
func eachSample(env *Env, paths []string, kind schemas.Kind, use func(sampled) error) (files []string, err error) {
	for _, path := range paths {
		found, err := load.Find(env.Path(path))
		if err != nil {
			return nil, fmt.Errorf("scored: %w", err)
		}
		for _, file := range found.Files {
			if err := samplesOf(file, kind, use); err != nil {
				return nil, fmt.Errorf("scored: %w", err)
			}
			files = append(files, file)
		}
	}
	return files, nil
}

func samplesOf(file string, kind schemas.Kind, use func(sampled) error) error {
	r, err := table.Open(file, kind)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = samplesIn(rec, kind, use)
		rec.Release()
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
}

// samplesIn reads only the columns that are wanted: the tokens are most of a record. The record is in
// exactly its kind's schema.
func samplesIn(rec arrow.Record, kind schemas.Kind, use func(sampled) error) error {
	column := func(name string) arrow.Array { return rec.Column(rec.Schema().FieldIndices(name)[0]) }
	problem, completion := column("problem").(*array.String), column("completion").(*array.String)
	finish := column("finish_reason").(*array.Dictionary)
	words := finish.Dictionary().(*array.String)
	var correct *array.Boolean
	var reward *array.Float32
	if kind == schemas.KindScored {
		correct, reward = column("correct").(*array.Boolean), column("reward").(*array.Float32)
	}
	for i := range int(rec.NumRows()) {
		if words.Value(finish.GetValueIndex(i)) == schemas.FinishError {
			continue
		}
		s := sampled{problem: problem.Value(i), completion: completion.Value(i)}
		if correct != nil && correct.IsValid(i) {
			v := correct.Value(i)
			s.correct = &v
		}
		if reward != nil && reward.IsValid(i) {
			v := float64(reward.Value(i))
			s.reward = &v
		}
		if err := use(s); err != nil {
			return err
		}
	}
	return nil
}
