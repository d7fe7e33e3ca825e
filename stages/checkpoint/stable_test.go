package checkpoint

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// contents are the files of a folder by name.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range listing(t, dir) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	return files
}

// The same model gives the same bytes, whole or in shards, also when it is opened and saved again; the
// index names the shard of each tensor and the size of all, as transformers reads them.
func TestFoldersAreStable(t *testing.T) {
	for _, limit := range []int64{0, 80, 1} {
		opt := SaveOptions{MaxShardBytes: limit, Metadata: map[string]string{"b": "2", "a": "1", "c": "3"}, Files: []ExtraFile{
			{Name: "tokenizer.json", Data: []byte("{ \"a\": 1 }\n")}, {Name: "LICENSE", Data: []byte("text")}, {Name: GenerationFile, Data: []byte(`{"temperature": 0.6}`)}}}
		root := t.TempDir()
		first, second, again := filepath.Join(root, "a"), filepath.Join(root, "b"), filepath.Join(root, "c")
		for _, dir := range []string{first, second} {
			if err := Save(dir, testConfig(t), testTensors(3), opt); err != nil {
				t.Fatal(err)
			}
		}
		f, err := OpenDir(first)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var copied []NamedTensor
		for _, want := range testTensors(3) { // in the model's order, which is the writer's affair
			tensor, err := f.Tensor(want.Name)
			if err != nil {
				t.Fatal(err)
			}
			copied = append(copied, NamedTensor{Name: want.Name, Shape: tensor.Shape, Read: tensor.Float32s})
		}
		files, err := Companions(os.DirFS(first))
		if err != nil {
			t.Fatal(err)
		}
		if err := Save(again, f.Config(), copied, SaveOptions{MaxShardBytes: limit, Metadata: opt.Metadata, Files: files}); err != nil {
			t.Fatal(err)
		}
		want := contents(t, first)
		for _, dir := range []string{second, again} {
			got := contents(t, dir)
			if len(got) != len(want) {
				t.Errorf("limit %d: %d files, then %d", limit, len(want), len(got))
			}
			for name := range want {
				if !bytes.Equal(got[name], want[name]) {
					t.Errorf("limit %d: %s differs:\n%q\n%q", limit, name, want[name], got[name])
				}
			}
		}
		if limit == 0 {
			continue
		}
		var index struct {
			Metadata struct {
				TotalSize int64 `json:"total_size"`
			}
			WeightMap map[string]string `json:"weight_map"`
		}
		if err := json.Unmarshal(want[IndexFile], &index); err != nil {
			t.Fatal(err)
		}
		size := int64(0)
		for _, tensor := range testTensors(3) {
			size += int64(len(tensor.Values)) * 4 // F32
			shard, err := OpenTensors(filepath.Join(first, index.WeightMap[tensor.Name]))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := shard.Tensor(tensor.Name); err != nil {
				t.Error(err)
			}
			shard.Close()
		}
		if index.Metadata.TotalSize != size || len(index.WeightMap) != len(testTensors(3)) {
			t.Errorf("limit %d: expected %d bytes in %d tensors, found %+v", limit, size, len(testTensors(3)), index)
		}
	}
}
