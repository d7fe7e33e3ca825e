package pretrained

import (
	"errors"
	"slices"

	"github.com/urfave/cli/v2"

	"openrs/stages/backend"
	"openrs/stages/device"
	"openrs/stages/model"
)

// Session is the model that the flags of a command name and the devices to run it on.
type Session struct {
	Source  *Model
	Device  device.Device   // the first
	Devices []device.Device // all of them
	DType   device.DType    // of matrices
	models  []*model.Model
}

// SessionFlags are the flags of every command that runs a model.
func SessionFlags() []cli.Flag { return slices.Concat(backend.Flags(), Flags()) }

// Start opens what the flags name, on one device. No weights are read. The caller closes the session.
func Start(c *cli.Context) (*Session, error) {
	return begin(c, func() ([]device.Device, error) {
		dev, err := backend.Open(c)
		return []device.Device{dev}, err
	})
}

// StartShared is Start for commands that share their work among any number of devices.
func StartShared(c *cli.Context) (*Session, error) {
	return begin(c, func() ([]device.Device, error) { return backend.OpenAll(c) })
}

func begin(c *cli.Context, open func() ([]device.Device, error)) (*Session, error) {
	source, err := FromFlags(c)
	if err != nil {
		return nil, err
	}
	s := &Session{Source: source}
	if s.DType, err = backend.DType(c); err == nil {
		var devices []device.Device
		if devices, err = open(); err == nil {
			s.Device, s.Devices = devices[0], devices
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// New makes a model for generation and scoring, with the source's adapters, all its weights zero, on the first device. It lives as
// long as the session.
func (s *Session) New() (*model.Model, error) { return s.newOn(s.Device) }

func (s *Session) newOn(dev device.Device) (*model.Model, error) {
	m, err := model.New(dev, s.Source.Config, model.Options{DType: s.DType, LoRA: s.Source.LoRA()})
	if err != nil {
		return nil, err
	}
	s.models = append(s.models, m)
	return m, nil
}

// NewEach is New on each of the devices.
func (s *Session) NewEach() ([]*model.Model, error) {
	var all []*model.Model
	for _, dev := range s.Devices {
		m, err := s.newOn(dev)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

// Load is New with the weights of the source.
func (s *Session) Load() (*model.Model, error) {
	m, err := s.New()
	if err != nil {
		return nil, err
	}
	return m, s.Source.Load(m)
}

// LoadEach is NewEach with the weights of the source.
func (s *Session) LoadEach() ([]*model.Model, error) {
	all, err := s.NewEach()
	for _, m := range all {
		if err := s.Source.Load(m); err != nil {
			return nil, err
		}
	}
	return all, err
}

// Close frees the session's models, then the devices, and releases the files.
func (s *Session) Close() error {
	for _, m := range s.models {
		m.Close()
	}
	s.models = nil
	var err error
	for _, dev := range s.Devices {
		err = errors.Join(err, dev.Close())
	}
	s.Device, s.Devices = nil, nil
	return errors.Join(err, s.Source.Close())
}
