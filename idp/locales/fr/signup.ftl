# Créer un compte.
signup-title = Créer un compte
signup-lead = Un seul compte, personnel, pour vos portails de formation.
signup-given-name = Prénom
signup-family-name = Nom
signup-email = Adresse électronique
signup-email-hint = Nous y envoyons un lien pour la confirmer. Elle sera votre identifiant.
signup-language = Langue
signup-submit = Recevoir le lien
signup-privacy = Ce que nous faisons de vos données
signup-have-one = Vous avez déjà un compte ?
signup-wrong-name = Écrivez votre nom tel qu’il est, sans adresse ni signes particuliers.
signup-wrong-email = Cette adresse n’est pas complète. Exemple : prenom.nom@exemple.fr
signup-working = Un instant : votre navigateur termine une vérification automatique.
signup-again = La vérification automatique a échoué. Envoyez à nouveau le formulaire.
signup-without-script = { $count ->
    [one] Sans JavaScript, votre lien partira dans { $count } minute au lieu d’arriver aussitôt.
   *[other] Sans JavaScript, votre lien partira dans { $count } minutes au lieu d’arriver aussitôt.
}
signup-needs-script = Pour créer un compte, activez JavaScript dans votre navigateur.
signup-sent-title = Consultez votre messagerie
signup-sent-text = Un message vient d’être envoyé à l’adresse indiquée. Ouvrez son lien dans les 24 heures pour choisir votre mot de passe.
signup-queued-text = { $count ->
    [one] Un message partira dans { $count } minute à l’adresse indiquée. Ouvrez son lien dans les 24 heures pour choisir votre mot de passe.
   *[other] Un message partira dans { $count } minutes à l’adresse indiquée. Ouvrez son lien dans les 24 heures pour choisir votre mot de passe.
}
signup-exists-title = Cette adresse a déjà un compte
signup-exists-text = Un compte utilise déjà cette adresse. Connectez-vous, ou demandez un lien si vous ne connaissez plus votre mot de passe.
