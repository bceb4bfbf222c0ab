"""Every word the report says, in English and Korean. Of ``{count:trial|trials}`` the first is said where count is 1."""

from skin_tune.metrics import ADJUSTED, METRICS, SOFT_MACRO_F1, WORST_GROUP
from skin_tune.results.report.group_words import GROUP_WORDS
from skin_tune.results.report.nominal import KOREAN, nominal_key
from skin_tune.results.report.watch_words import WATCH_WORDS

LANGUAGES = ("en", "ko")

WORDS: dict[str, tuple[str, str]] = {
    # The page
    "report": ("Tuning report", "튜닝 보고서"),
    "made": ("{when}, from {storage}", "{when}, 저장소 {storage}"),
    "summary": ("Summary", "요약"),
    "region": ("Region", "부위"),
    "show_all": ("Show all {count} trials", "트라이얼 {count}개 모두 보기"),
    "hint_sort": ("Click a heading to sort.", "제목을 누르면 정렬됩니다."),
    "interval_note": (
        "Small figures are 95% intervals over subjects: what might have come out with other people. A trial whose "
        "p is at least 0.05 may well be as good as the best; p takes into account how many trials were tried.",
        "작은 숫자는 대상자 단위 95% 구간으로, 다른 사람들이었다면 나올 수 있었던 범위입니다. "
        "p가 0.05 이상인 트라이얼은 최고 트라이얼과 차이가 없을 수 있습니다. p는 시도한 트라이얼 수를 고려한 값입니다.",
    ),
    "steps_note": (
        "MAE, within one and QWK count in steps between neighbouring classes.",
        "평균 절대 오차, 1단계 이내, QWK는 이웃한 등급 사이의 단계로 셉니다.",
    ),
    "no_order_note": (
        "The classes have no order, and so no distance: MAE, within one and QWK are left out.",
        "클래스에 순서가 없어 클래스 사이의 거리도 없습니다. 평균 절대 오차, 1단계 이내, QWK는 뺐습니다.",
    ),
    # The summary
    "champion_is": (
        "Of {trials} trials the best is {trial}: {metric} {score} on the validation split; guessing gives {chance}.",
        "트라이얼 {trials}개 중 최고는 {trial}입니다. 검증 세트 {metric} {score}. 무작위 추측은 {chance}입니다.",
    ),
    "only_is": (
        "The only trial is {trial}: {metric} {score} on the validation split; guessing gives {chance}.",
        "트라이얼은 {trial} 하나입니다. 검증 세트 {metric} {score}. 무작위 추측은 {chance}입니다.",
    ),
    "only_is_f1": (
        "The only trial is {trial}: {metric} {score} on the validation split.",
        "트라이얼은 {trial} 하나입니다. 검증 세트 {metric} {score}.",
    ),
    "champion_is_f1": (
        "Of {trials} trials the best is {trial}: {metric} {score} on the validation split.",
        "트라이얼 {trials}개 중 최고는 {trial}입니다. 검증 세트 {metric} {score}.",
    ),
    "chosen_by_soft": (
        "It was chosen by its soft macro F1, {score}: with probabilities in place of decisions, chance moves it less.",
        "선택 기준은 소프트 매크로 F1 {score}입니다. 결정 대신 확률로 계산하여 우연의 영향을 덜 받습니다.",
    ),
    "chosen_by_group": (
        "It was chosen by {metric}: {score}.",
        "선택 기준은 {metric} {score}입니다.",
    ),
    "expected": (
        "Being chosen as the best of {count} flatters it by about {flattery}: on people who did not choose it, {score} "
        "is to be expected.",
        "{count}개 중 최고로 골랐기 때문에 점수가 {flattery} 정도 높게 나옵니다. "
        "선택에 쓰이지 않은 사람들에게서는 {score} 정도가 예상됩니다.",
    ),
    "combined_better": (
        "The combined model {model} is better than {single} alone, by {score}: use it.",
        "결합 모델 {model}은(는) {single} 하나보다 {score} 더 좋습니다. 결합 모델을 쓰십시오.",
    ),
    "combined_no_better": (
        "The combined model {model} is no better than {single} alone by more than noise ({score}): keep {single}.",
        "결합 모델 {model}이(가) {single} 하나보다 우연 이상으로 좋지는 않습니다({score}). {single}을(를) 쓰십시오.",
    ),
    "confirmed_is": (
        "Of {trials} {trials:trial|trials} the best {configs:one|{configs}} {configs:was|were} run again with {seeds} "
        "new {seeds:seed|seeds} each: {trial} is champion, with a mean {metric} of {score} on the validation split.",
        "트라이얼 {trials}개 중 상위 {configs}개를 새 시드 {seeds}개씩으로 다시 실행한 결과, 최고는 {trial}입니다. "
        "검증 세트 {metric} 평균은 {score}입니다.",
    ),
    "confirmed_folds_is": (
        "Of {trials} {trials:trial|trials} the best {configs:one|{configs}} {configs:was|were} run again with {seeds} "
        "new {seeds:seed|seeds} each, in {folds} folds: {trial} is champion, with a mean {metric} of {score} on "
        "people of training and validation, each graded by models that never saw them.",
        "트라이얼 {trials}개 중 상위 {configs}개를 새 시드 {seeds}개씩, {folds}겹 교차 검증으로 다시 실행한 결과, "
        "최고는 {trial}입니다. 훈련·검증 대상자를 각자를 학습하지 않은 모델로 채점한 {metric} 평균은 {score}입니다.",
    ),
    "rivals": ("{names} may be as good.", "{names}도 이만큼 좋을 수 있습니다."),
    "no_rivals": ("Its lead is more than noise.", "다른 설정과의 차이는 오차 범위를 넘습니다."),
    "weakest": (
        "Its weakest class is {name}: {hits} of {images} {images:image|images} recognised (recall {recall}){training}.",
        "가장 약한 등급은 {name}입니다. 이미지 {images}장 중 {hits}장을 맞혔습니다(재현율 {recall}){training}.",
    ),
    "weakest_training": (", from {count} training {count:image|images}", ", 훈련 이미지 {count}장"),
    "tested": (
        "Refitted as {model}, it has {score} on the test split, which has been opened {openings}.",
        "다시 학습한 {model}의 테스트 세트 결과는 {score}입니다. 테스트 세트는 {openings} 열렸습니다.",
    ),
    "not_tested": ("It has not been refitted and tested.", "아직 재학습과 테스트를 하지 않았습니다."),
    "once": ("once", "1번"),
    "times": ("{count} times", "{count}번"),
    "saved": (
        "Early stopping ran {run} of {full} epochs: {share} saved, about {hours}.",
        "조기 중단으로 전체 {full} 에폭 중 {run} 에폭만 실행했습니다. {share} 절약, 약 {hours}.",
    ),
    "saved_nothing": ("No epochs were saved by early stopping.", "조기 중단으로 절약한 에폭은 없습니다."),
    "cost_is": ("Cost: {hours}{money}.", "비용: {hours}{money}."),
    "gpu_hours_of": ("{count} {count:GPU-hour|GPU-hours}", "GPU {count}시간"),
    "hours_of": ("{count} {count:hour|hours} of training", "학습 {count}시간"),
    "money_of": (", {money} in money", ", 금액 {money}"),
    # Warnings
    "no_champion": ("No trial has finished an epoch.", "한 에폭이라도 마친 트라이얼이 없습니다."),
    "within_noise": (
        "{count} other trials are within noise of the best: confirm before you decide.",
        "다른 트라이얼 {count}개는 최고와 오차 범위 안에 있습니다. 결정하기 전에 다시 확인하세요.",
    ),
    "one_within_noise": (
        "One other trial is within noise of the best: confirm before you decide.",
        "다른 트라이얼 1개는 최고와 오차 범위 안에 있습니다. 결정하기 전에 다시 확인하세요.",
    ),
    "not_confirmed_yet": (
        "The confirmation of {experiment} has no result yet: the same command resumes it.",
        "{experiment}의 확인 실행은 아직 결과가 없습니다. 같은 명령으로 이어서 실행할 수 있습니다.",
    ),
    "few_subjects": (
        "Only {count} {count:subject is|subjects are} in the validation split: intervals are rough.",
        "검증 세트의 대상자가 {count}명뿐이어서 구간이 정확하지 않습니다.",
    ),
    "one_subject": (
        "All validation images are of one subject: no interval can be given.",
        "검증 이미지가 모두 한 사람의 것이어서 구간을 낼 수 없습니다.",
    ),
    "absent": (
        "No validation image is of {count:class|classes} {names}: balanced accuracy is over the other classes.",
        "검증 세트에 등급 {names} 이미지가 없습니다. 균형 정확도는 나머지 등급으로 계산했습니다.",
    ),
    "not_compared": (
        "{count} {count:trial has|trials have} no interval: the store has no predictions of {count:it|them} "
        "on these images.",
        "트라이얼 {count}개는 이 이미지들에 대한 예측이 저장소에 없어 구간이 없습니다.",
    ),
    "failed_count": (
        "{count} {count:trial|trials} failed or diverged.",
        "트라이얼 {count}개가 실패하거나 발산했습니다.",
    ),
    "running_count": ("{count} {count:trial is|trials are} still running.", "트라이얼 {count}개가 아직 실행 중입니다."),
    "opened_often": (
        "The test split has been opened {openings}: figures from it are optimistic.",
        "테스트 세트가 {openings} 열렸습니다. 그 결과는 낙관적일 수 있습니다.",
    ),
    "error": ("Failed or diverged: {error}", "실패 또는 발산: {error}"),
    # Headings
    "leaderboard": ("Leaderboard", "순위표"),
    "confirmed": ("Confirmed with new seeds", "새 시드로 확인한 결과"),
    "confirmed_note": (
        "{seeds:One run of each config, with a new seed that is|Means over {seeds} runs, each with a seed of its own,} "
        "the same for every config; "
        "95% intervals are over {seeds:subjects|subjects and seeds}. "
        "The champion is the config of the highest lower bound.",
        "설정마다 같은 시드 {seeds}개로 실행한 {seeds:결과|평균}입니다. "
        "95% 구간은 {seeds:대상자를|대상자와 시드를 모두} 고려합니다. "
        "구간의 하한이 가장 높은 설정이 최고입니다.",
    ),
    "confirmed_folds_note": (
        "{seeds:One run of each config, with a new seed|Means over {seeds} runs, each with a seed of its own}. "
        "A seed deals the people of training and validation into {folds} folds, the same for every config; each fold "
        "is graded by a model of the last epoch that was trained on the others. "
        "95% intervals are over {seeds:subjects|subjects and seeds}. "
        "The champion is the config of the highest lower bound.",
        "설정마다 같은 시드 {seeds}개로 실행한 {seeds:결과|평균}입니다. "
        "시드마다 훈련·검증 대상자를 모든 설정에 똑같이 {folds}겹으로 나누고, "
        "각 겹은 나머지로 학습한 마지막 에폭의 모델이 채점합니다. "
        "95% 구간은 {seeds:대상자를|대상자와 시드를 모두} 고려합니다. "
        "구간의 하한이 가장 높은 설정이 최고입니다.",
    ),
    "curves": ("Learning curves", "학습 곡선"),
    "parallel": ("Parallel coordinates", "평행 좌표"),
    "parallel_note": (
        "A line is a trial, coloured by fifths of the score; the legend turns them on and off.",
        "선 하나가 트라이얼 하나이며 점수의 5분위로 색을 나눴습니다. 범례를 눌러 켜고 끌 수 있습니다.",
    ),
    "importance": ("Hyper-parameter importance", "하이퍼파라미터 중요도"),
    "importance_note": (
        "Share in reaching the best tenth of the trials, relative to what was tried (PED-ANOVA, Watanabe et al. 2023, "
        "as in Optuna). Shares always add up to 100%, even where nothing mattered much.",
        "상위 10% 트라이얼에 드는 데 기여한 비율(시도한 값 대비, Optuna의 PED-ANOVA, Watanabe et al. 2023). "
        "어느 것도 중요하지 않아도 합은 항상 100%입니다.",
    ),
    "confusion": ("Confusion matrix of the champion", "최고 트라이얼의 혼동 행렬"),
    "confusion_note": (
        "True class by row, predicted class by column: images, and their share of the row.",
        "행은 실제 등급, 열은 예측 등급입니다. 이미지 수와 행 안의 비율입니다.",
    ),
    "recall_by_class": ("Recall by class", "등급별 재현율"),
    "calibration": ("Calibration", "보정"),
    "calibration_note": (
        "Expected calibration error {error}: how far, on average, the probability of the predicted class is from its "
        "accuracy (Guo et al. 2017, 15 bins of equal width).",
        "기대 보정 오차 {error}: 예측 등급의 확률이 실제 정확도와 평균적으로 떨어진 정도(Guo et al. 2017, 15구간).",
    ),
    "tests": ("Refitted and tested", "재학습과 테스트"),
    "tests_note": (
        "The test split of this pack has been opened {openings} below this storage.",
        "이 저장소에서 이 팩의 테스트 세트는 {openings} 열렸습니다.",
    ),
    "cost": ("Cost", "비용"),
    "traces": ("Where it comes from", "출처"),
    "config": ("The champion's hyper-parameters", "최고 트라이얼의 하이퍼파라미터"),
    # Columns
    "rank": ("Rank", "순위"),
    "trial": ("Trial", "트라이얼"),
    "experiment": ("Experiment", "실험"),
    "status": ("Status", "상태"),
    "epochs": ("Epochs", "에폭"),
    "epochs_run": ("Epochs run", "실행 에폭"),
    "val_balanced_acc": ("Balanced accuracy", "균형 정확도"),
    "val_macro_f1": ("Macro F1", "매크로 F1"),
    f"val_{SOFT_MACRO_F1}": ("Soft macro F1", "소프트 매크로 F1"),
    "val_acc": ("Accuracy", "정확도"),
    "val_mae": ("MAE (steps)", "평균 절대 오차(단계)"),
    "val_within_one": ("Within one", "1단계 이내"),
    "val_qwk": ("QWK", "QWK"),
    "spread": ("Spread over seeds", "시드별 표준편차"),
    "behind": ("Behind the champion", "최고 트라이얼과의 차이"),
    "chance_better": ("Chance to be better", "더 나을 확률"),
    "p_adjusted": ("p", "p"),
    "gpu_hours": ("GPU-hours", "GPU 시간"),
    "hours": ("Hours", "시간"),
    "saved_share": ("Epochs saved", "절약 에폭"),
    "saved_hours": ("Hours saved", "절약 시간"),
    "saved_gpu_hours": ("GPU-hours saved", "절약 GPU 시간"),
    "money": ("Money", "금액"),
    "trials": ("Trials", "트라이얼 수"),
    "name": ("Name", "이름"),
    "value": ("Value", "값"),
    "images": ("Images", "이미지"),
    "subjects": ("Subjects", "대상자"),
    "model": ("Model", "모델"),
    "trained_on": ("Trained on", "훈련 데이터"),
    "test_images": ("Test images", "테스트 이미지"),
    "openings": ("Times opened", "열린 횟수"),
    "precision": ("Precision", "정밀도"),
    "recall": ("Recall", "재현율"),
    "f1": ("F1", "F1"),
    "sum": ("All", "합계"),
    "unknown": ("not known", "알 수 없음"),
    "pack_id": ("Pack", "팩"),
    "split_seed": ("Split seed", "분할 시드"),
    "code_version": ("Code", "코드"),
    "libraries": ("Libraries", "라이브러리"),
    "hardware": ("Machine", "장치"),
    # Figures
    "completed": ("completed", "완료"),
    "stopped_early": ("stopped early", "조기 중단"),
    "interrupted": ("interrupted", "중단됨"),
    "running": ("running", "실행 중"),
    "diverged": ("diverged", "발산"),
    "failed": ("failed", "실패"),
    "diverged_or_failed": ("diverged or failed", "발산 또는 실패"),
    "stop": ("stopped here", "중단 지점"),
    "champion": ("champion", "최고 트라이얼"),
    "epoch": ("Epoch", "에폭"),
    "class": ("Class", "등급"),
    "train_images": ("Training images", "훈련 이미지"),
    "no_image": ("no validation image", "검증 이미지 없음"),
    "importance_share": ("Importance", "중요도"),
    "confidence": ("Probability of the predicted class", "예측 등급의 확률"),
    "accuracy": ("Share correct", "정답 비율"),
    "perfect": ("perfect", "완벽한 보정"),
    "fifth_1": ("lowest fifth", "하위 20%"),
    "fifth_2": ("2nd", "2분위"),
    "fifth_3": ("3rd", "3분위"),
    "fifth_4": ("4th", "4분위"),
    "fifth_5": ("best fifth", "상위 20%"),
    # Gaps
    "gap_curves": ("No epoch is recorded.", "기록된 에폭이 없습니다."),
    "gap_parallel": (
        "Nothing to show: fewer than two trials with a score, or no hyper-parameter differs.",
        "점수가 있는 트라이얼이 두 개 미만이거나 서로 다른 하이퍼파라미터가 없어 표시할 수 없습니다.",
    ),
    "gap_importance": (
        "Not said: it takes {count} trials with different scores and hyper-parameters.",
        "점수와 하이퍼파라미터가 서로 다른 트라이얼이 {count}개 이상 필요합니다.",
    ),
    "gap_predictions": (
        "Not in this store: it has no validation predictions of the champion, as stores of older versions.",
        "최고 트라이얼의 검증 예측이 이 저장소에 없습니다(이전 버전의 저장소 등).",
    ),
    "gap_counts": (
        "How many training images each class had is not in this store.",
        "등급별 훈련 이미지 수가 이 저장소에 없습니다.",
    ),
    "gap_tests": ("No trial of this region has been refitted.", "이 부위에서 재학습한 트라이얼이 없습니다."),
    "pack_short": ("pack {pack}", "팩 {pack}"),
}

WORDS |= GROUP_WORDS | WATCH_WORDS
WORDS |= {
    f"val_{metric}": (f"Balanced accuracy of the worst group ({name})", f"가장 낮은 그룹의 균형 정확도({name})")
    for name, metric in WORST_GROUP.items()
}
WORDS |= {nominal_key(key): (WORDS[key][0], korean) for key, korean in KOREAN.items()}
WORDS |= {
    f"val_{name}{ADJUSTED}": (f"{english}, adjusted", f"{korean}(보정)")
    for name in METRICS
    for english, korean in (WORDS[f"val_{name}"],)
}
