package backend

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	l, err := List(2)
	if err != nil {
		t.Fatal(err)
	}
	host := l.Devices[0]
	if host.Device != "cpu" || host.Threads != 2 || !strings.Contains(host.Name, "2 threads") || host.Free < 0 {
		t.Errorf("%+v", host)
	}
	if gpus := len(l.Devices) - 1; (gpus > 0) != (l.CUDA != "") || (gpus == 0) != (l.Note != "") {
		t.Errorf("%d GPUs, CUDA %q, note %q", gpus, l.CUDA, l.Note)
	}
	if _, err := List(-1); err == nil {
		t.Error("-1 threads are taken")
	}
}

func TestWriteListing(t *testing.T) {
	l := Listing{CUDA: "12.4", Devices: []Listed{
		{Device: "cpu", Name: "cpu: avx2, 8 threads", Threads: 8, Free: 30 << 30},
		{Device: "cuda:0", Name: "A40", Memory: 45 << 30, Free: 44 << 30, Capability: "8.6", Processors: 84, Bandwidth: 695.8, PCI: "0000:01:00", Links: []Link{{"cuda:1", "nvlink"}, {"cuda:2", "host"}}},
		{Device: "cuda:1", Name: "A40", Memory: 45 << 30, Capability: "8.6"},
	}}
	var text, object strings.Builder
	if err := l.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	want := `DEVICE  NAME                  CAPABILITY  MEMORY    FREE      BANDWIDTH  PCI
cpu     cpu: avx2, 8 threads  -           -         30.0 GiB  -          -
cuda:0  A40                   8.6         45.0 GiB  44.0 GiB  696 GB/s   0000:01:00
cuda:1  A40                   8.6         45.0 GiB  -         -          -

FROM    TO
cuda:0  cuda:1 by nvlink, cuda:2 by host

The driver offers CUDA 12.4.
`
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", text.String(), want)
	}
	if err := l.WriteJSON(&object); err != nil {
		t.Fatal(err)
	}
	var back Listing
	if err := json.Unmarshal([]byte(object.String()), &back); err != nil {
		t.Fatal(err)
	}
	if len(back.Devices) != 3 || back.Devices[1].Links[1].Way != "host" || back.CUDA != "12.4" || strings.Count(object.String(), "\n") != 1 {
		t.Errorf("%s", object.String())
	}
}
