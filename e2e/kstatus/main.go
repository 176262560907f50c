// Command kstatus prints what tools that wait for an object make of it. It reads a Kubernetes List as JSON from stdin and
// writes a JSON list of the answers: of the library kstatus, of the fork of it that Flux and Helm 4 use, and of the health
// script of Argo CD whose path is the only argument, run by the interpreter that Argo CD uses.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	flux "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

// Answer is what the tools say about one object.
type Answer struct {
	Kind        string `json:"kind"`
	Name        string `json:"name"`
	Kstatus     string `json:"kstatus"`
	Flux        string `json:"flux"`
	Message     string `json:"message"`
	Argo        string `json:"argo"`
	ArgoMessage string `json:"argoMessage"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("usage: kstatus health.lua < list.json")
	}
	script, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	var list unstructured.UnstructuredList
	decoder := json.NewDecoder(os.Stdin)
	if err := decoder.Decode(&list); err != nil {
		return err
	}
	answers := []Answer{}
	for i := range list.Items {
		answer, err := ask(&list.Items[i], string(script))
		if err != nil {
			return fmt.Errorf("%s: %w", list.Items[i].GetName(), err)
		}
		answers = append(answers, answer)
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func ask(object *unstructured.Unstructured, script string) (Answer, error) {
	answer := Answer{Kind: object.GetKind(), Name: object.GetName()}
	computed, err := status.Compute(object)
	if err != nil {
		return answer, err
	}
	answer.Kstatus, answer.Message = computed.Status.String(), computed.Message
	forked, err := flux.Compute(object)
	if err != nil {
		return answer, err
	}
	answer.Flux = forked.Status.String()
	answer.Argo, answer.ArgoMessage, err = health(object, script)
	return answer, err
}

// health runs the script as Argo CD does: few libraries, the object as `obj`, a table as the result. An object that is
// being deleted never gets there.
func health(object *unstructured.Unstructured, script string) (string, string, error) {
	if object.GetDeletionTimestamp() != nil {
		return "Progressing", "Pending deletion", nil
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName:   lua.OpenPackage,
		lua.BaseLibName:   lua.OpenBase,
		lua.TabLibName:    lua.OpenTable,
		lua.StringLibName: lua.OpenString,
		lua.MathLibName:   lua.OpenMath,
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return "", "", err
		}
	}
	state.SetGlobal("obj", value(state, object.Object))
	if err := state.DoString(script); err != nil {
		return "", "", err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "", "", fmt.Errorf("the script returned no table but %v", state.Get(-1))
	}
	return table.RawGetString("status").String(), table.RawGetString("message").String(), nil
}

// value turns JSON into Lua's types.
func value(state *lua.LState, of any) lua.LValue {
	switch of := of.(type) {
	case bool:
		return lua.LBool(of)
	case string:
		return lua.LString(of)
	case int64:
		return lua.LNumber(of)
	case float64:
		return lua.LNumber(of)
	case []any:
		table := state.NewTable()
		for _, item := range of {
			table.Append(value(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, item := range of {
			table.RawSetString(key, value(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}
