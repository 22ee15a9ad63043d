package winservice

import (
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/eventlog"
	"golang.org/x/sys/windows/svc/mgr"
)

// ThisMachine says where the service keeps its things here, and where users have their directories. It asks Windows,
// because the environment of a service is not that of a terminal.
func ThisMachine() (places Places, profiles string, err error) {
	data, err := windows.KnownFolderPath(windows.FOLDERID_ProgramData, 0)
	if err == nil {
		profiles, err = windows.KnownFolderPath(windows.FOLDERID_UserProfiles, 0)
	}
	if err != nil {
		return Places{}, "", fmt.Errorf("ask Windows for its directories: %w", err)
	}
	return PlacesBelow(data), profiles, nil
}

// Install registers the service, makes its directories where they are missing and keeps others out of them. It
// neither writes settings nor starts the service.
func Install(i Installation) (err error) {
	m, err := connect()
	if err != nil {
		return err
	}
	defer func() { _ = m.Disconnect() }()
	if old, err := m.OpenService(Name); err == nil {
		_ = old.Close()
		return errors.New("the service leadsync exists already: `leadsync service uninstall` removes it and leaves its data")
	}
	sid, err := accountSID(i.Account)
	if err != nil {
		return err
	}
	if err := prepare(i.Places, sid); err != nil {
		return err
	}
	_ = eventlog.Remove(Name) // of an earlier service
	if err := eventlog.InstallAsEventCreate(Name, eventlog.Error|eventlog.Warning|eventlog.Info); err != nil {
		return fmt.Errorf("register with the event log: %w", err)
	}
	return register(m, i)
}

// connect needs an administrator.
func connect() (*mgr.Mgr, error) {
	m, err := mgr.Connect()
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return nil, errors.New("no rights, want a terminal that was opened with \"Run as administrator\"")
	}
	if err != nil {
		return nil, fmt.Errorf("connect to the service manager: %w", err)
	}
	return m, nil
}

// accountSID is the id of an account. That of a virtual account is calculated: it exists only after its service.
func accountSID(account string) (string, error) {
	if account == VirtualAccount {
		return ServiceSID(Name), nil
	}
	sid, _, _, err := windows.LookupSID("", account)
	if err != nil {
		return "", fmt.Errorf(`--account: Windows does not know %s, want DOMAIN\user: %w`, account, err)
	}
	return sid.String(), nil
}

// prepare makes the directories from the top, each closed before anything is in it.
func prepare(p Places, sid string) error {
	for _, a := range p.accesses(sid) {
		if err := os.MkdirAll(a.path, 0o700); err != nil {
			return fmt.Errorf("make the service's directories: %w", err)
		}
		if err := protect(a); err != nil {
			return err
		}
	}
	return nil
}

// MakeFolder makes the folder of the settings file where it is missing, for administrators and the service's own account
// alone. It tells whether nobody else can read what is in it: a folder that is there was closed by Install, or by nobody.
func MakeFolder(path string) (closed bool, err error) {
	if _, err := os.Stat(path); err == nil {
		return Installed(), nil
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return false, err
	}
	return true, protect(access{path, dacl(ServiceSID(Name), mayRead)})
}

// protect sets an access list. Windows hands it on to what is already below.
func protect(a access) error {
	descriptor, err := windows.SecurityDescriptorFromString(a.dacl)
	if err != nil {
		return fmt.Errorf("make an access list for %s: %w", a.path, err)
	}
	list, _, err := descriptor.DACL()
	if err != nil {
		return fmt.Errorf("make an access list for %s: %w", a.path, err)
	}
	const what = windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION
	if err := windows.SetNamedSecurityInfo(a.path, windows.SE_FILE_OBJECT, what, nil, nil, list, nil); err != nil {
		return fmt.Errorf("set the access list of %s: %w", a.path, err)
	}
	return nil
}

func register(m *mgr.Mgr, i Installation) (err error) {
	s, err := m.CreateService(Name, i.Binary, mgr.Config{
		DisplayName: "leadsync", Description: "Keeps the leads of Bitrix24 in SQL Server.",
		ErrorControl: mgr.ErrorNormal, StartType: mgr.StartAutomatic, DelayedAutoStart: true, // after SQL Server and the network
		ServiceStartName: i.Account, Password: i.Password, SidType: windows.SERVICE_SID_TYPE_UNRESTRICTED,
	}, i.Args...)
	if err != nil {
		return fmt.Errorf("register the service: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Delete())
		}
		_ = s.Close()
	}()
	actions := make([]mgr.RecoveryAction, len(Restarts))
	for n, pause := range Restarts {
		actions[n] = mgr.RecoveryAction{Type: mgr.ServiceRestart, Delay: pause}
	}
	if err := s.SetRecoveryActions(actions, uint32((24 * time.Hour).Seconds())); err != nil {
		return fmt.Errorf("have the service restarted: %w", err)
	}
	if err := s.SetRecoveryActionsOnNonCrashFailures(true); err != nil {
		return fmt.Errorf("have the service restarted: %w", err)
	}
	return installPreshutdown(s)
}

// installPreshutdown has Windows wait for the end of the service before it shuts down.
func installPreshutdown(s *mgr.Service) error {
	info := struct{ Milliseconds uint32 }{uint32(StopLimit / time.Millisecond)}
	if err := windows.ChangeServiceConfig2(s.Handle, windows.SERVICE_CONFIG_PRESHUTDOWN_INFO, (*byte)(unsafe.Pointer(&info))); err != nil { //nolint:gosec // Windows takes a structure
		return fmt.Errorf("have Windows wait for the service: %w", err)
	}
	return nil
}

// Uninstall stops the service and removes its registration. Data, settings and logs stay.
func Uninstall() error {
	if err := StopService(); err != nil && !errors.Is(err, errNotRunning) {
		return err
	}
	return withService(func(s *mgr.Service) error {
		if err := s.Delete(); err != nil {
			return fmt.Errorf("remove the service: %w", err)
		}
		if err := eventlog.Remove(Name); err != nil {
			return fmt.Errorf("remove leadsync from the event log: %w", err)
		}
		return nil
	})
}
