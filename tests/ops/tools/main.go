// Judges Kubernetes manifests by the code that clusters run: pods by the restricted Pod Security
// Standard, the operators' objects by the operators' own types. Reads YAML documents from standard
// input, prints a line for each fault, and ends with 1 where there is one.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	keda "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	documents "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

// One of each kind that is looked at; other kinds pass.
var kinds = map[string]func() any{
	"Deployment":            func() any { return &apps.Deployment{} },
	"StatefulSet":           func() any { return &apps.StatefulSet{} },
	"Job":                   func() any { return &batch.Job{} },
	"PodMonitor":            func() any { return &monitoring.PodMonitor{} },
	"ServiceMonitor":        func() any { return &monitoring.ServiceMonitor{} },
	"PrometheusRule":        func() any { return &monitoring.PrometheusRule{} },
	"ScaledObject":          func() any { return &keda.ScaledObject{} },
	"TriggerAuthentication": func() any { return &keda.TriggerAuthentication{} },
}

func main() {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		fail(err)
	}
	reader := documents.NewYAMLReader(bufio.NewReader(os.Stdin))
	faults := 0
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fail(err)
		}
		for _, fault := range judge(document, evaluator) {
			fmt.Println(fault)
			faults++
		}
	}
	if faults > 0 {
		os.Exit(1)
	}
}

func judge(document []byte, evaluator policy.Evaluator) []string {
	var head struct {
		meta.TypeMeta   `json:",inline"`
		meta.ObjectMeta `json:"metadata"`
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		return []string{err.Error()}
	}
	make, known := kinds[head.Kind]
	if !known {
		return nil
	}
	where := head.Kind + "/" + head.Name + ": "
	object := make()
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		return []string{where + err.Error()}
	}
	template := templateOf(object)
	if template == nil {
		return nil
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	var faults []string
	for _, result := range evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec) {
		if !result.Allowed {
			faults = append(faults, where+result.ForbiddenReason+": "+result.ForbiddenDetail)
		}
	}
	return faults
}

func templateOf(object any) *core.PodTemplateSpec {
	switch found := object.(type) {
	case *apps.Deployment:
		return &found.Spec.Template
	case *apps.StatefulSet:
		return &found.Spec.Template
	case *batch.Job:
		return &found.Spec.Template
	}
	return nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(2)
}
