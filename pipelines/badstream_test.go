package pipelines

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// publish puts a message of one's own into a run's stream. digest is its header's value; "right" stands
// for the right one, "" for no header.
func (s *server) publish(stream, id string, body []byte, digest string) {
	s.t.Helper()
	m := nats.NewMsg("openrs.r." + stream)
	m.Data = body
	m.Header.Set("Nats-Msg-Id", id)
	if digest == "right" {
		sum := sha256.Sum256(body)
		digest = hex.EncodeToString(sum[:])
	}
	if digest != "" {
		m.Header.Set("Openrs-Sha256", digest)
	}
	if _, err := s.jetStream().PublishMsg(s.t.Context(), m); err != nil {
		s.t.Fatal(err)
	}
}

// A message that can't be read stops score with its number and the reason, and a copy is kept. Told to
// skip such messages, score goes on and nothing else is missing.
func TestDamagedMessages(t *testing.T) {
	t.Parallel()
	good := goodFiles(t)
	rollouts := []byte(shell(t, good, "cat r.ipc"))
	problems := []byte(shell(t, good, "curate synth -n 12 --batch 12"))
	damaged := bytes.Clone(rollouts)
	damaged[len(damaged)/2] ^= 1
	sum := sha256.Sum256(rollouts)
	for _, c := range []struct {
		name, digest string
		body         []byte
		want         []string
	}{
		{"no digest", "", rollouts, []string{"digest"}},
		{"another digest", strings.Repeat("0", 64), rollouts, []string{"digest"}},
		{"a flipped bit", hex.EncodeToString(sum[:]), damaged, []string{"digest"}},
		{"no record batch", "right", []byte("hello"), nil},
		{"nothing", "right", nil, nil},
		{"another kind", "right", problems, []string{"problems", "rollouts"}},
		{"cut off", "right", rollouts[:len(rollouts)/2], []string{"truncated"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, small(0).with("generate", "--frozen"))
			r.start("curate").ok()
			r.start("generate").ok()
			// Behind the good messages; the end that generate has marked lies before it.
			before := len(r.server.messages("r", "rollouts"))
			r.server.publish("rollouts", "test", c.body, c.digest)

			number := fmt.Sprintf("message %d", before+1)
			fails(t, r.start("score"), append(c.want, "rollouts", number, "--skip-bad")...)
			dead := r.server.messages("r", "dead")
			if len(dead) != 1 || !bytes.Equal(dead[0].Data, c.body) || dead[0].Subject != "openrs.r.dead.score" ||
				!strings.Contains(dead[0].Header.Get("Openrs-Dead-Reason"), number) {
				t.Fatalf("%d dead letters, want one with the message", len(dead))
			}

			p := start(t, r.dir, nil, "score", append(r.args("score"), "--skip-bad")...)
			p.ok()
			if !strings.Contains(p.stderr(), "message skipped") {
				t.Errorf("the log does not say what was skipped\n%s", p.tail())
			}
			if dead := r.server.messages("r", "dead"); len(dead) != 1 {
				t.Errorf("%d dead letters after the second time, want the same one", len(dead))
			}
			if got, want := len(r.rows("scored")), r.plan.steps*r.plan.groups*r.plan.samples; got != want {
				t.Errorf("%d scored rollouts, want %d", got, want)
			}
		})
	}
}

// update reads its stream in order and can't do without a message: it stops, and keeps what it has.
func TestDamagedScores(t *testing.T) {
	t.Parallel()
	r := newRun(t, small(0))
	r.train()
	r.server.publish("scored", "test", []byte("hello"), "right")
	last := len(r.server.messages("r", "scored"))
	r.plan.steps++
	files := hashes(t, r.path("checkpoints"))
	fails(t, start(t, r.dir, nil, "update", append(r.args("update"), "--resume")...), "scored", fmt.Sprintf("message %d", last))
	sameFiles(t, files, hashes(t, r.path("checkpoints")))
}

// A problem whose gold answer can't be read, or that is too long for the model, keeps its place in the
// step, marked, and the run goes on to its end.
func TestProblemsThatFail(t *testing.T) {
	t.Parallel()
	p := small(0)
	r := newRun(t, p)
	command(t, r.dir, "curate", "synth", "-n", "60", "--level", "1", "--out", "p.jsonl")
	edit(t, r.dir+"/p.jsonl", func(b []byte) []byte {
		lines := slices.Collect(bytes.Lines(b))
		lines[2] = bytes.Replace(lines[2], []byte(`"problem":"`), []byte(`"problem":"`+strings.Repeat("1+", 3000)), 1)
		return bytes.Join(lines, nil)
	})
	start(t, r.dir, nil, "curate", "--in", "p.jsonl", "--n", fmt.Sprint(p.steps*p.groups), "--batch", "3", "--run", "r", "--nats", r.server.url).ok()
	finish(t, r.start("generate"), r.start("score"), r.start("update"))
	rows := r.rows("scored")
	if got, want := len(rows), p.steps*p.groups*p.samples; got != want {
		t.Errorf("%d scored rollouts, want %d", got, want)
	}
	failed := 0
	for _, row := range rows {
		if strings.Contains(row, `"finish_reason":"error"`) {
			failed++
			if !strings.Contains(row, `"reward":null`) && strings.Contains(row, `"reward":`) || !strings.Contains(row, `"advantage":0,`) {
				t.Errorf("a failed rollout has a reward or an advantage: %.300s", row)
			}
		}
	}
	if failed != p.samples {
		t.Errorf("%d failed rollouts, want those of one group, %d", failed, p.samples)
	}
	if dead := r.server.messages("r", "dead"); len(dead) == 0 || !strings.Contains(dead[0].Header.Get("Openrs-Dead-Reason"), "prompt too long") {
		t.Errorf("%d dead letters, want one that says why", len(dead))
	}
}

// Stages of one run that disagree about what a step is say so instead of waiting for each other.
func TestStagesThatDisagree(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ flag, generate, update string }{
		{"groups-per-step", "2", "4"},
		{"max-lag", "1", "0"},
	} {
		t.Run(c.flag+" "+c.generate+" "+c.update, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, small(0).with("generate", "--"+c.flag, c.generate).with("update", "--"+c.flag, c.update))
			generate := r.start("generate")
			for began := time.Now(); !strings.Contains(generate.stderr(), "msg=generating"); time.Sleep(5 * time.Millisecond) {
				if time.Since(began) > patience || generate.exited() {
					t.Fatalf("generate has not begun\n%s", generate.tail())
				}
			}
			fails(t, r.start("update"), "generate", "--"+c.flag+" is "+c.update+" here and "+c.generate+" there")
			generate.kill()
			// Who is started again with the right value is heard.
			r.plan = small(0)
			all := []*process{r.start("generate"), r.start("update"), r.start("curate"), r.start("score")}
			finish(t, all...)
			reference(t, small(0)).same(t, r.outcome())
		})
	}
}

// Training ends with the steps that were asked for, also where there are more problems, and with the
// problems, where there are fewer.
func TestFewerAndMoreProblems(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		problems int
		want     string // checkpoint
	}{
		{"more", 40, "checkpoint-6"}, {"fewer", 16, "checkpoint-4"}, {"half a step at the end", 18, "checkpoint-5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, small(0).with("curate", "--n", fmt.Sprint(c.problems)))
			r.train()
			if latest := slices.Max(folders(t, r.path("checkpoints"))); latest != c.want {
				t.Errorf("the last checkpoint is %s, want %s", latest, c.want)
			}
		})
	}
}
